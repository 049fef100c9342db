"""The job played out many times: how its finish time and its cost are distributed."""
