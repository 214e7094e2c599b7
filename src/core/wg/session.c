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

#include <errno.h>

/* Returns NULL, to be put where the pointer was. */
static struct keypair *keypair_free(struct wg_device *d, struct keypair *k)
{
	if (!k)
		return NULL;
	index_free(d, k->index);
	chapoly_fini(&k->send);
	chapoly_fini(&k->receive);
	ct_wipe(k, sizeof(*k));
	free(k);
	return NULL;
}

void sessions_clear(struct wg_device *d, struct wg_peer *p)
{
	for (int i = 0; i < N_KEYPAIRS; i++)
		p->kp[i] = keypair_free(d, p->kp[i]);
}

static void move(struct wg_peer *p, int to, int from)
{
	keypair_free(p->dev, p->kp[to]);
	p->kp[to] = p->kp[from];
	p->kp[from] = NULL;
}

static mono_ns rekey_at(const struct wg_peer *p, mono_ns born)
{
	bool waits = memcmp(wg_public(p->dev)->b, wg_peer_key(p)->b, KEY_LEN) > 0;

	return born + REKEY_AFTER_TIME + (waits ? REKEY_STAGGER : 0);
}

/*
 * Of what there is when our handshake completes: a next session, which the other side is about to use, or else the one it
 * sends with, which is not our current one if two handshakes crossed.
 */
static void keep_for_late_packets(struct wg_peer *p)
{
	const struct keypair *previous = p->kp[KP_PREVIOUS], *current = p->kp[KP_CURRENT];

	if (p->kp[KP_NEXT])
		move(p, KP_PREVIOUS, KP_NEXT);
	else if (!previous || (current && current->heard_at >= previous->heard_at))
		move(p, KP_PREVIOUS, KP_CURRENT);
	p->kp[KP_CURRENT] = keypair_free(p->dev, p->kp[KP_CURRENT]);
}

int session_begin_take(struct wg_peer *p, const struct handshake_keys *k, struct index_entry *index,
	uint32_t remote_index, bool initiator, mono_ns now)
{
	struct keypair *n = calloc(1, sizeof(*n));
	int rc = -ENOMEM;

	if (!n) {
		index_free(p->dev, index);
		return rc;
	}
	*n = (struct keypair){ .initiator = initiator,
		.born = now,
		.rekey_at = rekey_at(p, now),
		.index = index,
		.remote_index = remote_index };
	rc = chapoly_init(&n->send, k->send);
	if (rc == 0)
		rc = chapoly_init(&n->receive, k->receive);
	if (rc < 0) {
		keypair_free(p->dev, n);
		return rc;
	}
	if (initiator) {
		keep_for_late_packets(p);
		p->kp[KP_CURRENT] = n;
	} else {
		/* Previous stays until next is confirmed: after a crossing it is what the other side sends with. */
		keypair_free(p->dev, p->kp[KP_NEXT]);
		p->kp[KP_NEXT] = n;
	}
	return 0;
}

void session_confirm(struct wg_peer *p)
{
	move(p, KP_PREVIOUS, KP_CURRENT);
	move(p, KP_CURRENT, KP_NEXT);
}

struct keypair *session_to_send(struct wg_peer *p, mono_ns now)
{
	struct keypair *k = p->kp[KP_CURRENT];

	if (!k || now - k->born >= REJECT_AFTER_TIME || k->send_counter >= REJECT_AFTER_MESSAGES)
		return NULL;
	return k;
}

struct keypair *session_by_index(struct wg_peer *p, uint32_t local_index)
{
	for (int i = 0; i < N_KEYPAIRS; i++)
		if (p->kp[i] && p->kp[i]->index->index == local_index)
			return p->kp[i];
	return NULL;
}

bool session_wants_rekey_on_send(const struct keypair *k, mono_ns now)
{
	return k->send_counter > REKEY_AFTER_MESSAGES || (k->initiator && now >= k->rekey_at);
}

bool session_wants_rekey_on_receive(const struct keypair *k, mono_ns now)
{
	return k->initiator &&
	       now - k->born >= REJECT_AFTER_TIME - KEEPALIVE_TIMEOUT - REKEY_TIMEOUT;
}
