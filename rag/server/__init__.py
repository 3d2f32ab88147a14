"""Everything between the network and the chatbot: HTTP, signing in, the queue, what is stored, the log."""
