"""Image–text retrieval: pictures found by words, and words by pictures."""
