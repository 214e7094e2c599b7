/*
 * Three sessions at most: current (we send with it), previous (late packets still come with it), next (we answered an
 * initiation and wait for the first packet that proves that the other side has the keys).
 *
 *   we initiated:   response consumed -> wg_session_begin_take:  current -> previous, new -> current
 *   we responded:   response sent     -> wg_session_begin_take:  new -> next
 *                   first packet      -> wg_session_confirm:     current -> previous, next -> current
 *
 * The peer's table holds one reference of each session. Out of the table, a session is found no more; its keys are wiped when the
 * last reference goes.
 */
#include "core/wg/internal.h"
#include "crypto/ct/ct.h"

#include <errno.h>
#include <stdlib.h>

struct wg_session *wg_session_ref(struct wg_session *k)
{
	atomic_fetch_add_explicit(&k->refs, 1, memory_order_relaxed);
	return k;
}

/* Release: what was done with the session is done. Acquire: by all others, too, before it is wiped. */
void wg_session_unref(struct wg_session *k)
{
	if (!k || atomic_fetch_sub_explicit(&k->refs, 1, memory_order_acq_rel) > 1)
		return;
	chapoly_fini(&k->send);
	chapoly_fini(&k->receive);
	wg_replay_fini(&k->replay);
	ct_wipe(k, sizeof(*k));
	free(k);
}

/* Out of the table. Returns NULL, to be put where the pointer was. */
static struct wg_session *session_unlink(struct wg_device *d, struct wg_session *k)
{
	if (!k)
		return NULL;
	wg_index_free(d, k->index);
	k->index = NULL;
	wg_session_unref(k);
	return NULL;
}

void wg_session_clear(struct wg_device *d, struct wg_peer *p)
{
	for (int i = 0; i < N_SESSIONS; i++)
		p->session[i] = session_unlink(d, p->session[i]);
}

static void move(struct wg_peer *p, int to, int from)
{
	session_unlink(p->dev, p->session[to]);
	p->session[to] = p->session[from];
	p->session[from] = NULL;
}

static mono_ns rekey_at(const struct wg_peer *p, mono_ns born)
{
	bool waits = memcmp(p->dev->public.b, p->key.b, KEY_LEN) > 0;

	return born + REKEY_AFTER_TIME + (waits ? REKEY_STAGGER : 0);
}

/*
 * Of what there is when our handshake completes: a next session, which the other side is about to use, or else the one it
 * sends with, which is not our current one if two handshakes crossed.
 */
static void keep_for_late_packets(struct wg_peer *p)
{
	const struct wg_session *previous = p->session[SESSION_PREVIOUS],
				*current = p->session[SESSION_CURRENT];

	if (p->session[SESSION_NEXT])
		move(p, SESSION_PREVIOUS, SESSION_NEXT);
	else if (!previous || (current && current->last_rx >= previous->last_rx))
		move(p, SESSION_PREVIOUS, SESSION_CURRENT);
	p->session[SESSION_CURRENT] = session_unlink(p->dev, p->session[SESSION_CURRENT]);
}

static int session_new(struct wg_session **ret, const struct handshake_keys *keys)
{
	struct wg_session *k = calloc(1, sizeof(*k));
	int rc = -ENOMEM;

	if (!k)
		return rc;
	atomic_init(&k->refs, 1);
	atomic_init(&k->send_counter, 0);
	wg_replay_init(&k->replay);
	rc = chapoly_init(&k->send, keys->send);
	if (rc == 0)
		rc = chapoly_init(&k->receive, keys->receive);
	if (rc < 0) {
		wg_session_unref(k);
		return rc;
	}
	*ret = k;
	return 0;
}

int wg_session_begin_take(struct wg_peer *p, const struct handshake_keys *keys,
	struct index_entry *index, uint32_t remote_index, bool initiator, mono_ns now)
{
	struct wg_session *k;
	int rc = session_new(&k, keys);

	if (rc < 0) {
		wg_index_free(p->dev, index);
		return rc;
	}
	k->initiator = initiator;
	k->born = now;
	k->rekey_at = rekey_at(p, now);
	k->index = index;
	k->remote_index = remote_index;
	if (initiator) {
		keep_for_late_packets(p);
		p->session[SESSION_CURRENT] = k;
	} else {
		/* Previous stays until next is confirmed: after a crossing it is what the other side sends with. */
		session_unlink(p->dev, p->session[SESSION_NEXT]);
		p->session[SESSION_NEXT] = k;
	}
	return 0;
}

void wg_session_confirm(struct wg_peer *p)
{
	move(p, SESSION_PREVIOUS, SESSION_CURRENT);
	move(p, SESSION_CURRENT, SESSION_NEXT);
}

struct wg_session *wg_session_to_send(struct wg_peer *p, mono_ns now)
{
	struct wg_session *k = p->session[SESSION_CURRENT];

	if (!k || now - k->born >= REJECT_AFTER_TIME ||
		wg_session_sent(k) > REJECT_AFTER_MESSAGES - PKT_BATCH_MAX)
		return NULL;
	return k;
}

struct wg_session *wg_session_by_index(struct wg_peer *p, uint32_t local_index)
{
	for (int i = 0; i < N_SESSIONS; i++)
		if (p->session[i] && p->session[i]->index->index == local_index)
			return p->session[i];
	return NULL;
}

uint64_t wg_session_sent(const struct wg_session *k)
{
	return atomic_load_explicit(&k->send_counter, memory_order_relaxed);
}

bool wg_session_reserve(struct wg_session *k, size_t n, uint64_t *ret_first)
{
	uint64_t first = wg_session_sent(k);

	/* Not an addition: threads that are refused must not wear the rest out, up to a counter that was used. */
	do
		if (first > REJECT_AFTER_MESSAGES - n)
			return false;
	while (!atomic_compare_exchange_weak_explicit(
		&k->send_counter, &first, first + n, memory_order_relaxed, memory_order_relaxed));
	*ret_first = first;
	return true;
}

bool wg_session_wants_rekey_on_send(const struct wg_session *k, mono_ns now)
{
	return wg_session_sent(k) > REKEY_AFTER_MESSAGES || (k->initiator && now >= k->rekey_at);
}

bool wg_session_wants_rekey_on_receive(const struct wg_session *k, mono_ns now)
{
	return k->initiator &&
	       now - k->born >= REJECT_AFTER_TIME - KEEPALIVE_TIMEOUT - REKEY_TIMEOUT;
}
