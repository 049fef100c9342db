"""What can be bought: instance types, prices, quotas."""
