"""Between the network and the chatbot: HTTP, signing in, the queue, the store, the log."""
