/*
 * tests/sim/pipe: what os/stream is to the daemons: one byte stream of an engine over the virtual network, with output
 * pulled when there is room, and TLS as far as time tells: one more round trip, and the relay's key in the server's
 * flight, as the certificate chain of a real relay carries it.
 */
#ifndef WARREN_TESTS_SIM_PIPE_H
#define WARREN_TESTS_SIM_PIPE_H

#include "crypto/keys/keys.h"
#include "testlib/vnet/vnet.h"

struct pipe;

struct pipe_ops {
	void (*on_up)(void *owner, const struct node_pub *relay_key); /* NULL without TLS */
	int (*on_data)(void *owner, uint8_t *p, size_t len); /* negative: close, then on_closed */
	struct view (*output)(void *owner);
	void (*written)(void *owner, size_t n);
	void (*on_closed)(void *owner, int rc); /* the pipe is gone */
};

struct pipe *pipe_connect(struct vnet *v, struct vnet_dev *d, struct ipport to, bool tls,
	const struct pipe_ops *ops, void *owner);
/* From on_accept of a listener. key: to be shown in TLS. on_up is called when bytes can flow. */
struct pipe *pipe_accept(struct vnet *v, struct vnet_stream *s, const struct node_pub *tls_key,
	const struct pipe_ops *ops, void *owner);
void pipe_set_owner(struct pipe *p, const struct pipe_ops *ops, void *owner);
struct ipport pipe_remote(const struct pipe *p);
void pipe_wake(struct pipe *p);   /* output has something: it is asked for soon, not from here */
void pipe_finish(struct pipe *p); /* closed when all output is written */
struct pipe *pipe_close(struct pipe *p); /* on_closed is not called; harmless inside callbacks */
struct pipe *pipe_reset(struct pipe *p); /* as when a process is killed */

#endif
