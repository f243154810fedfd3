"""The worker's unit: this team's actions."""
