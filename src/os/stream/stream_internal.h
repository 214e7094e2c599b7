/* os/stream: between listener.c and stream.c. */
#ifndef WARREN_OS_STREAM_STREAM_INTERNAL_H
#define WARREN_OS_STREAM_STREAM_INTERNAL_H

#include "os/stream/stream.h"

/* A connection that was accepted; fd is the stream's, or closed. local: over a unix socket. NULL: no memory, or no room in the ledger. */
struct stream *stream_accepted(struct loop *l, int fd, struct tls_ctx *tls, struct ipport from,
	struct ledger *ledger, bool local);
/* Who speaks first: the proxy, if it comes from one. */
void stream_begin(struct stream *s, bool from_proxy);
/* It has an owner, or ends. */
void stream_taken(struct stream *s);

#endif
