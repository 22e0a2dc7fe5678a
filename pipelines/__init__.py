"""What happens when: daily out, daily in, and how a file leaves and arrives. Layouts are in `interfaces`, rules in `schemas`."""
