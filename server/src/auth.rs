//! Who may log in and who may push. Comparisons take constant time.
