#include "core/wg/internal.h"
#include "crypto/ct/ct.h"

#include <stdlib.h>

/*
 * TAI64N of the wall clock, cut to 2^24 ns so that it tells nothing about our load (paper, section 5.1; wireguard-go).
 * Never goes back, even if the wall clock does: the other side refuses a timestamp that is not newer. By peer: a thousand
 * handshakes at once would lead one for all far into the future, and a restarted device would be refused until then.
 */
static void timestamp_now(struct wg_peer *p, unix_ms wall, uint8_t out[static WGMSG_TAI64N_LEN])
{
	uint64_t ns = (uint64_t)(wall % 1000) * 1000000;

	store_be64(out, 0x400000000000000a + (uint64_t)(wall / 1000));
	store_be32(out + 8, (uint32_t)(ns & ~(uint64_t)0xffffff));
	if (memcmp(out, p->sent_timestamp, WGMSG_TAI64N_LEN) <= 0) {
		memcpy(out, p->sent_timestamp, WGMSG_TAI64N_LEN);
		for (int i = 8; i >= 0 && ++out[i] == 0; i--) /* one step of 2^24 ns */
			;
	}
	memcpy(p->sent_timestamp, out, WGMSG_TAI64N_LEN);
}

static void to_peer(struct wg_device *d, struct wg_peer *p, struct pkt *pkt, size_t n)
{
	(void)wg_queue_add(
		d, (struct wg_out){ .kind = WG_OUT_DATAGRAMS, .peer = p, .pkt = pkt, .n = n });
}

static void message_to_peer(
	struct wg_device *d, struct wg_peer *p, const void *msg, size_t len, mono_ns now)
{
	struct message *m = wg_queue_message(d, len);

	if (!m)
		return;
	memcpy(m->pkt.p, msg, len);
	p->stats.tx_bytes += len;
	d->counters.sent_datagrams++;
	wg_timers_any_sent(p, now);
	to_peer(d, p, &m->pkt, 1);
}

void wg_send_initiation(struct wg_device *d, struct wg_peer *p, struct now now, bool retry)
{
	struct wgmsg_initiation m;
	uint8_t ts[WGMSG_TAI64N_LEN];

	/* One in 5 s, however much data waits. */
	if (p->last_initiation_sent && now.mono - p->last_initiation_sent < REKEY_TIMEOUT)
		return;
	if (!retry || !p->attempt_started)
		p->attempt_started = now.mono;
	p->last_initiation_sent = now.mono;
	wg_send_end_initiation(d, p, false);
	p->hs_index = wg_index_new(d, p);
	wg_timers_initiation_sent(p, now.mono);
	timestamp_now(p, now.wall, ts);
	if (!p->hs_index || wg_handshake_create_initiation(&p->hs, &d->self, &p->hs_peer,
				    d->cfg.rng, p->hs_index->index, ts, &m) < 0)
		return; /* the timer tries again */
	wg_cookie_add_macs(&p->cookies, (uint8_t *)&m, sizeof(m), now.mono);
	p->initiation_made = now.mono;
	p->initiation = malloc(sizeof(m));
	if (p->initiation)
		*p->initiation = m;
	message_to_peer(d, p, &m, sizeof(m), now.mono);
}

void wg_send_end_initiation(struct wg_device *d, struct wg_peer *p, bool keep_index)
{
	if (!keep_index)
		wg_index_free(d, p->hs_index);
	p->hs_index = NULL;
	wg_handshake_clear(&p->hs);
	free(p->initiation);
	p->initiation = NULL;
}

/*
 * An initiation of ours that crosses theirs stays valid: when both sides start at once, both handshakes complete, where a
 * peer with one handshake state for both roles would have to wait 5 s for the next attempt.
 */
void wg_send_response(struct wg_device *d, struct wg_peer *p, struct handshake *h, struct now now)
{
	struct index_entry *index = wg_index_new(d, p);
	struct handshake_keys keys;
	struct wgmsg_response m;
	int rc;

	if (!index || wg_handshake_create_response(
			      h, &p->hs_peer, d->cfg.rng, index->index, &m, &keys) < 0) {
		wg_index_free(d, index);
		wg_handshake_clear(h);
		return;
	}
	rc = wg_session_begin_take(p, &keys, index, h->remote_index, false, now.mono);
	ct_wipe(&keys, sizeof(keys));
	wg_handshake_clear(h);
	if (rc < 0)
		return;
	wg_timers_session_derived(p, now.mono);
	wg_cookie_add_macs(&p->cookies, (uint8_t *)&m, sizeof(m), now.mono);
	message_to_peer(d, p, &m, sizeof(m), now.mono);
}

/* A multiple of 16, but not beyond the MTU: the packet would not fit any more. */
static size_t padding(size_t mtu, size_t len)
{
	size_t padded = (len + 15) & ~(size_t)15;

	if (mtu && padded > mtu)
		padded = MAX_OF(len, mtu);
	return MIN_OF(padded - len, (size_t)15);
}

size_t wg_sealed_len(size_t mtu, size_t len)
{
	return len + padding(mtu, len) + WGMSG_TRANSPORT_OVERHEAD;
}

/* Seals in place and turns each packet into its datagram. False: the session is used up, and nothing was touched. */
static bool seal(struct wg_device *d, struct wg_peer *p, struct wg_session *k, struct pkt *pkt,
	size_t n, mono_ns now)
{
	struct chapoly_job jobs[PKT_BATCH_MAX];
	uint64_t counter;
	bool data = false;

	if (!wg_session_reserve(k, n, &counter))
		return false;
	for (size_t i = 0; i < n; i++) {
		size_t pad = padding(d->cfg.mtu, pkt[i].len);
		struct wgmsg_transport *h =
			(struct wgmsg_transport *)(void *)(pkt[i].p -
							   sizeof(struct wgmsg_transport));

		data = data || pkt[i].len;
		memset(pkt[i].p + pkt[i].len, 0, pad);
		wgmsg_set_type(h->type, WGMSG_TRANSPORT);
		store_le32(h->receiver, k->remote_index);
		store_le64(h->counter, counter);
		jobs[i] = (struct chapoly_job){ .counter = counter++,
			.in = pkt[i].p,
			.len = pkt[i].len + pad,
			.out = pkt[i].p };
		pkt[i].p -= sizeof(struct wgmsg_transport);
		pkt[i].len += pad + WGMSG_TRANSPORT_OVERHEAD;
		p->stats.tx_bytes += pkt[i].len;
	}
	chapoly_seal_batch(&k->send, jobs, n);
	d->counters.sent_datagrams += n;
	p->stats.last_sent = now;
	wg_timers_any_sent(p, now);
	if (data)
		wg_timers_data_sent(p, now);
	return true;
}

static void stage(struct wg_device *d, struct wg_peer *p, const struct pkt *pkt)
{
	struct staged *s = malloc(sizeof(*s) + PKT_ROOM(pkt->len));

	if (!s) {
		d->counters.staged_dropped++;
		return;
	}
	if (p->n_staged == WG_STAGED_MAX) { /* the oldest is the least useful */
		free(container_of(list_pop_head(&p->staged), struct staged, link));
		p->n_staged--;
		d->counters.staged_dropped++;
	}
	s->len = pkt->len;
	memcpy(s->mem + PKT_HEADROOM, pkt->p, pkt->len);
	list_push_tail(&p->staged, &s->link);
	p->n_staged++;
}

void wg_send_drop_staged(struct wg_peer *p)
{
	struct list *l;

	while ((l = list_pop_head(&p->staged)))
		free(container_of(l, struct staged, link));
	p->n_staged = 0;
}

void wg_send_staged(struct wg_device *d, struct wg_peer *p, struct now now)
{
	if (p->n_staged)
		wg_queue_add_staged(d, p, now.mono);
}

struct staged *wg_send_next_staged(
	struct wg_device *d, struct wg_peer *p, mono_ns now, struct pkt *ret)
{
	struct wg_session *k;
	struct list *l;

	while ((k = wg_session_to_send(p, now)) && (l = list_pop_head(&p->staged))) {
		struct staged *s = container_of(l, struct staged, link);

		p->n_staged--;
		*ret = pkt_in(s->mem, s->len);
		if (seal(d, p, k, ret, 1, now))
			return s;
		d->counters.staged_dropped++;
		free(s);
	}
	return NULL;
}

void wg_send_keepalive(struct wg_device *d, struct wg_peer *p, struct now now)
{
	struct wg_session *k = wg_session_to_send(p, now.mono);
	struct message *m;

	if (p->n_staged) { /* they say as much */
		wg_send_staged(d, p, now);
		return;
	}
	m = k ? wg_queue_message(d, 0) : NULL;
	if (k && !m)
		return;
	if (k && seal(d, p, k, &m->pkt, 1, now.mono))
		to_peer(d, p, &m->pkt, 1);
	else
		wg_send_initiation(d, p, now, false);
}

static void begin_if_idle(struct wg_device *d, struct wg_peer *p, struct now now)
{
	if (p->timer[TIMER_RETRANSMIT] == MONO_NEVER)
		wg_send_initiation(d, p, now, false);
}

void wg_send(struct wg_device *d, struct wg_peer *p, struct pkt *pkt, size_t n, struct now now)
{
	struct wg_session *k = wg_session_to_send(p, now.mono);

	CHECK(n <= PKT_BATCH_MAX);
	if (!k || !seal(d, p, k, pkt, n, now.mono)) {
		for (size_t i = 0; i < n; i++)
			stage(d, p, &pkt[i]);
		begin_if_idle(d, p, now);
		return;
	}
	to_peer(d, p, pkt, n);
	if (wg_session_wants_rekey_on_send(k, now.mono))
		begin_if_idle(d, p, now);
}

void wg_send_copy(
	struct wg_device *d, struct wg_peer *p, const uint8_t *pkt, size_t len, struct now now)
{
	struct message *m = wg_queue_message(d, len);

	CHECK(len <= WG_COPY_MAX);
	if (!m)
		return;
	memcpy(m->pkt.p, pkt, len);
	wg_send(d, p, &m->pkt, 1, now);
}

void wg_start_handshake(struct wg_device *d, struct wg_peer *p, struct now now)
{
	if (!wg_session_to_send(p, now.mono) && p->timer[TIMER_RETRANSMIT] == MONO_NEVER)
		wg_send_initiation(d, p, now, false);
}

void wg_retry_handshake(struct wg_device *d, struct wg_peer *p, struct now now)
{
	if (wg_session_to_send(p, now.mono) ||
		(p->last_initiation_sent && now.mono - p->last_initiation_sent < RETRY_GAP))
		return;
	if (p->initiation && now.mono - p->initiation_made < INITIATION_REPEATS) {
		struct wgmsg_initiation m = *p->initiation;

		/*
		 * A new one would make the answer to this one worthless, and on a line of half a second none would ever
		 * count. The peer ignores what it has had already.
		 */
		wg_cookie_add_macs(&p->cookies, (uint8_t *)&m, sizeof(m), now.mono);
		p->last_initiation_sent = now.mono;
		message_to_peer(d, p, &m, sizeof(m), now.mono);
		return;
	}
	p->last_initiation_sent = 0;
	wg_send_initiation(d, p, now, true);
}

void wg_renew(struct wg_device *d, struct wg_peer *p, struct now now)
{
	begin_if_idle(d, p, now);
}

void wg_keepalive(struct wg_device *d, struct wg_peer *p, struct now now)
{
	wg_send_keepalive(d, p, now);
}
