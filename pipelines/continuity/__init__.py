"""Monthly: candidates -> proposal -> worksheet -> decision -> instruction -> result."""
