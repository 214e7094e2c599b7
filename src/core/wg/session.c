/*
 * Three sessions at most: current (we send with it), previous (late packets still come with it), next (we answered an
 * initiation and wait for the first packet that proves that the other side has the keys).
 *
 *   we initiated:   response consumed -> session_begin:  current -> previous, new -> current
 *   we responded:   response sent     -> session_begin:  new -> next
 *                   first packet      -> session_confirm: current -> previous, next -> current
 */
#include "core/wg/device.h"
#include "crypto/ct/ct.h"

void session_clear(struct wg_device *d, struct keypair *k)
{
	index_free(d, k->index);
	chapoly_fini(&k->send);
	chapoly_fini(&k->receive);
	ct_wipe(k, sizeof(*k));
}

void sessions_clear(struct wg_device *d, struct wg_peer *p)
{
	for (int i = 0; i < N_KEYPAIRS; i++)
		session_clear(d, &p->kp[i]);
}

static void move(struct wg_device *d, struct keypair *to, struct keypair *from)
{
	session_clear(d, to);
	*to = *from;
	ct_wipe(from, sizeof(*from));
}

void session_begin(struct wg_peer *p, const struct handshake_keys *k, struct index_entry *index,
	uint32_t remote_index, bool initiator, mono_ns now)
{
	struct wg_device *d = p->dev;
	struct keypair n = { .valid = true, .initiator = initiator, .born = now, .index = index,
		.remote_index = remote_index };

	if (chapoly_init(&n.send, k->send) < 0 || chapoly_init(&n.receive, k->receive) < 0) {
		session_clear(d, &n);
		return;
	}
	if (initiator) {
		/* A next session that was never used is newer than current for late packets. */
		if (p->kp[KP_NEXT].valid)
			move(d, &p->kp[KP_PREVIOUS], &p->kp[KP_NEXT]);
		else
			move(d, &p->kp[KP_PREVIOUS], &p->kp[KP_CURRENT]);
		session_clear(d, &p->kp[KP_CURRENT]);
		p->kp[KP_CURRENT] = n;
	} else {
		session_clear(d, &p->kp[KP_PREVIOUS]);
		session_clear(d, &p->kp[KP_NEXT]);
		p->kp[KP_NEXT] = n;
	}
}

void session_confirm(struct wg_peer *p)
{
	move(p->dev, &p->kp[KP_PREVIOUS], &p->kp[KP_CURRENT]);
	move(p->dev, &p->kp[KP_CURRENT], &p->kp[KP_NEXT]);
}

struct keypair *session_to_send(struct wg_peer *p, mono_ns now)
{
	struct keypair *k = &p->kp[KP_CURRENT];

	if (!k->valid || now - k->born >= REJECT_AFTER_TIME || k->send_counter >= REJECT_AFTER_MESSAGES)
		return NULL;
	return k;
}

struct keypair *session_by_index(struct wg_peer *p, uint32_t local_index)
{
	for (int i = 0; i < N_KEYPAIRS; i++)
		if (p->kp[i].valid && p->kp[i].index && p->kp[i].index->index == local_index)
			return &p->kp[i];
	return NULL;
}

bool session_wants_rekey_on_send(const struct keypair *k, mono_ns now)
{
	return k->send_counter > REKEY_AFTER_MESSAGES || (k->initiator && now - k->born >= REKEY_AFTER_TIME);
}

bool session_wants_rekey_on_receive(const struct keypair *k, mono_ns now)
{
	return k->initiator && now - k->born >= REJECT_AFTER_TIME - KEEPALIVE_TIMEOUT - REKEY_TIMEOUT;
}
