"""Monthly: months with 高額療養費, their history and handover, limits and income classes."""
