"""What tests share: deployments, servers, worlds, rows. No test lives here, and no test imports another."""
