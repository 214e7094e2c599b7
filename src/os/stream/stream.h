/*
 * os/stream: byte streams over TCP or a unix socket, with or without TLS. Output is pulled: the stream asks its owner for
 * bytes when the socket takes them, so that nothing is copied into a second queue and a slow reader is felt at once.
 */
#ifndef WARREN_OS_STREAM_STREAM_H
#define WARREN_OS_STREAM_STREAM_H

#include "base/netip/netip.h"
#include "os/loop/loop.h"
#include "proto/forwarded/forwarded.h"

#include <sys/types.h>

struct ledger;
struct ledger_holder;
struct stream;
struct listener;
struct tls_ctx;

enum {
	STREAM_READ_MAX = 64 * 1024, /* bytes of one on_data */
	STREAM_HANDSHAKES_PER_TURN =
		8, /* steps of TLS for strangers of one network, half a millisecond each; the others wait a turn */
};

struct stream_ops {
	/* Client: connected, with TLS done. Server streams are so from the start. May be NULL. */
	void (*on_connected)(void *owner);
	/* Negative: close. */
	int (*on_data)(void *owner, const uint8_t *p, size_t len);
	/* What to write next; empty: nothing now (stream_wake later). */
	struct view (*output)(void *owner);
	void (*written)(void *owner, size_t n);
	/* The last call: the stream frees itself afterwards. rc 0: the other side ended it. */
	void (*on_closed)(void *owner, int rc);
	/*
	 * True: so much output waits, or is to be decided first, that nothing more may come in. Nothing is read from the connection then, until
	 * it is false after output was taken, or after stream_wake: what comes meanwhile waits in the system, then with the other side. An
	 * owner that answers what it reads has one. NULL: never full.
	 */
	bool (*full)(void *owner);
};

/* A new connection: give it an owner with stream_set_owner, or stream_close it. */
typedef void (*stream_accept_fn)(void *ctx, struct stream *s);

MUST_USE int stream_listen(struct loop *l, struct ipport addr, struct tls_ctx *tls,
	stream_accept_fn fn, void *ctx, struct listener **ret);
/* mode: of the socket file. An old socket file that nobody answers is replaced; -EADDRINUSE otherwise. */
MUST_USE int stream_listen_unix(struct loop *l, const char *path, mode_t mode, stream_accept_fn fn,
	void *ctx, struct listener **ret);
/*
 * Connections from these begin with the header of the PROXY protocol, and stream_peer is whom it names. The owner keeps the list
 * while the listener lives. A header that is malformed, or not there within 5 s, ends the connection with -ERR_PROXY.
 */
void listener_set_proxies(struct listener *l, const struct forwarded_trust *proxies);
/*
 * Connections are holders in this ledger from now on: strangers from where they come, over a unix socket the account of the user at
 * the other end. One that is pushed out ends with -ERR_NO_ROOM. The ledger lives longer than the streams.
 */
void listener_set_ledger(struct listener *l, struct ledger *ledger);
struct listener *listener_close(struct listener *l);
struct ipport listener_addr(const struct listener *l);

/* host: for SNI and the certificate check when tls is given. mark: SO_MARK, 0 for none. */
MUST_USE int stream_connect(struct loop *l, struct ipport addr, struct tls_ctx *tls,
	const char *host, unsigned mark, const struct stream_ops *ops, void *owner,
	struct stream **ret);

/*
 * Client with TLS, before the loop's next turn: the protocols that are offered (ALPN), each with its length before it: "\x02h2". And
 * once connected, which of them it is; "": the other side names none. out: 16 bytes.
 */
MUST_USE int stream_offer(struct stream *s, const char *protocols);
const char *stream_agreed(const struct stream *s, char out[static 16]);

void stream_set_owner(struct stream *s, const struct stream_ops *ops, void *owner);
struct ipport stream_peer(const struct stream *s); /* unset for unix sockets */
/* The holder that whatever is kept for this connection is charged to; NULL: its listener has no ledger, or we dialled. */
struct ledger_holder *stream_holder(struct stream *s);
/* Who it really is, as a trusted proxy said; in the ledger, too. */
void stream_set_peer(struct stream *s, struct ipport peer);
/* A proxy's header named nobody: stream_peer is the proxy, and what the stream says of its origin is not the proxy's word. */
bool stream_is_unnamed(const struct stream *s);
bool stream_peer_uid(const struct stream *s, uid_t *ret);
/* Client, once connected: the public key of the relay at the other side, if its certificates name it (tls_server_add_relay_key). */
bool stream_relay_key(const struct stream *s, uint8_t ret[static 32]);
/* What we write has to be acknowledged within this time, or the stream is closed. 0: as usual, 20 s. */
void stream_set_silence(struct stream *s, mono_ns after);
/* Bytes that the other side's system has not acknowledged. */
size_t stream_unacked(const struct stream *s);
/*
 * Streams of one kind, and what is read of all of them in one turn of the loop: of each the same part (of TLS, up to a record more), so
 * that one with little to say waits for milliseconds, however many send as fast as they can. The more were read in one turn, the less of
 * each is in the next. Without it a fixed number of bytes is read of a stream, which is enough for a few.
 */
struct stream_turn {
	size_t bytes;    /* of all together */
	size_t min, max; /* of one, whatever all together are */
	/* Of the streams. */
	uint64_t turn;
	size_t active, part;
};
/* Borrowed while the stream lives. */
void stream_share_turn(struct stream *s, struct stream_turn *t);
/* There is output. Written at the end of this call at the earliest, from the loop at the latest. */
void stream_wake(struct stream *s);
/* Writes now what there is, as far as the socket takes it: for last words, before on_data says that it is over. */
void stream_flush(struct stream *s);
/* Ends it when the output is drained; nothing more is read. */
void stream_finish(struct stream *s);
/* Ends it now. on_closed is called from the loop, not from here. */
void stream_close(struct stream *s);

#endif
