// The first real file replaces this one.
