"""Critical networks: how irregular and how close to criticality their activity is."""
