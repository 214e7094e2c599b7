/* tests/http/fake_stream: os/stream without sockets: the test is the network on both sides. One listener of each kind, any number of streams. */
#ifndef WARREN_TESTS_HTTP_FAKE_STREAM_H
#define WARREN_TESTS_HTTP_FAKE_STREAM_H

#include "os/stream/stream.h"

struct stream {
	const struct stream_ops *ops;
	void *owner;
	uid_t uid; /* who asks, over a unix socket */
	bool finished, closed;
	char out[1 << 16]; /* what was written, with a NUL behind it */
	size_t n_out;
};

/* A client connects to the listener that came last. */
void fake_connect(struct stream *s);
/* Of a program with one of each: to that over TCP, or that on a unix socket. Who is connected to the other keeps quiet meanwhile. */
void fake_connect_over(struct stream *s, bool unix_socket);
/* It sends this, and takes at most `take` bytes of what there is (then or later). False: the connection is over. */
bool fake_send(struct stream *s, const void *p, size_t len, size_t take);
bool fake_take(struct stream *s, size_t take);
/* It goes away. */
void fake_hang_up(struct stream *s);

#endif
