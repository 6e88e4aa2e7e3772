"""All that is known of a trained network on one page of HTML that needs nothing else."""
