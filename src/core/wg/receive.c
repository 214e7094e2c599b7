#include "core/wg/internal.h"
#include "base/err/err.h"
#include "crypto/ct/ct.h"

static void tell(
	struct wg_device *d, enum wg_out_kind kind, struct wg_peer *p, struct wg_datagram *dg)
{
	(void)wg_queue_add(d, (struct wg_out){ .kind = kind, .peer = p, .datagram = dg });
}

/* An authentic datagram of the peer: where it came from, and how much from there. */
static void roam(struct wg_device *d, struct wg_peer *p, const struct wg_datagram *dg)
{
	const struct wg_source *source = &dg->source;

	if (p->source.len == source->len && memcmp(p->source.b, source->b, source->len) == 0) {
		p->source_bytes += dg->len;
		return;
	}
	p->source = *source;
	p->source_bytes = dg->len;
	tell(d, WG_OUT_ROAMED, p, NULL);
}

static bool under_load(struct wg_device *d, mono_ns now)
{
	if (now - d->load_second >= SEC(1)) {
		d->load_second = now;
		d->load_count = 0;
	}
	return ++d->load_count > d->load_limit;
}

static struct view host_of(const struct wg_source *s)
{
	return view_of(s->b, s->host_len && s->host_len < s->len ? s->host_len : s->len);
}

static void send_cookie(
	struct wg_device *d, struct wg_datagram *dg, struct view source, mono_ns now)
{
	struct message *m = wg_queue_message(d, sizeof(struct wgmsg_cookie_reply));

	if (!m)
		return;
	wg_cookie_reply(&d->checker, d->cfg.rng, dg->p, dg->len, source, now,
		(struct wgmsg_cookie_reply *)(void *)m->pkt.p);
	d->counters.cookie_sent++;
	(void)wg_queue_add(
		d, (struct wg_out){ .kind = WG_OUT_REPLY, .pkt = &m->pkt, .n = 1, .datagram = dg });
}

/* Macs first: nothing costly happens for a stranger. */
static bool admitted(struct wg_device *d, struct wg_datagram *dg, mono_ns now)
{
	struct view source = view_of(dg->source.b, dg->source.len);

	switch (wg_cookie_check(&d->checker, dg->p, dg->len, source, now)) {
	case COOKIE_BAD:
		d->counters.bad_mac++;
		return false;
	case COOKIE_GOOD:
		if (!under_load(d, now) ||
			ratelimit_allow(&d->ratelimit, host_of(&dg->source), now))
			return true;
		d->counters.rate_limited++;
		return false;
	case COOKIE_MAC1_ONLY:
		if (!under_load(d, now))
			return true;
		break;
	}
	send_cookie(d, dg, source, now);
	return false;
}

static void tell_unknown_peer(
	struct wg_device *d, struct wg_datagram *dg, const struct node_pub *key)
{
	struct message *m = wg_queue_message(d, 0);

	d->counters.no_peer++;
	if (!m)
		return;
	m->key = *key;
	(void)wg_queue_add(
		d, (struct wg_out){ .kind = WG_OUT_UNKNOWN_PEER, .datagram = dg, .key = &m->key });
}

static void receive_initiation(struct wg_device *d, struct wg_datagram *dg, struct now now)
{
	const struct wgmsg_initiation *m = (const void *)dg->p;
	uint8_t timestamp[WGMSG_TAI64N_LEN];
	struct handshake_opened o;
	struct node_pub key;
	struct wg_peer *p;

	if (!admitted(d, dg, now.mono))
		return;
	if (wg_handshake_open_initiation(&o, &d->self, m) < 0) {
		d->counters.bad_handshake++;
		goto out;
	}
	memcpy(key.b, o.peer_public, KEY_LEN);
	p = wg_peer_find(d, &key);
	if (!p) {
		tell_unknown_peer(d, dg, &key);
		goto out;
	}
	if (wg_handshake_consume_initiation(&o, &d->self, &p->hs_peer, m, timestamp) < 0) {
		d->counters.bad_handshake++;
		goto out;
	}
	if (memcmp(timestamp, p->last_timestamp, sizeof(timestamp)) <= 0) {
		d->counters.replay++;
		goto out;
	}
	if (p->last_initiation_seen && now.mono - p->last_initiation_seen < INITIATION_GAP) {
		d->counters.flood++;
		goto out;
	}
	memcpy(p->last_timestamp, timestamp, sizeof(timestamp));
	p->last_initiation_seen = now.mono;
	p->stats.rx_bytes += dg->len;
	roam(d, p, dg);
	wg_timers_any_received(p);
	wg_send_response(d, p, &o.h, now);
out:
	ct_wipe(&o, sizeof(o));
}

static void receive_response(struct wg_device *d, struct wg_datagram *dg, struct now now)
{
	const struct wgmsg_response *m = (const void *)dg->p;
	struct handshake_keys keys;
	struct index_entry *e;
	struct wg_peer *p;
	int rc;

	if (!admitted(d, dg, now.mono))
		return;
	e = wg_index_find(d, load_le32(m->receiver));
	p = e ? e->peer : NULL;
	if (!p || p->hs_index != e || p->hs.state != HANDSHAKE_INITIATION_SENT ||
		wg_handshake_consume_response(&p->hs, &d->self, &p->hs_peer, m, &keys) < 0) {
		d->counters.bad_handshake++;
		return;
	}
	rc = wg_session_begin_take(p, &keys, e, p->hs.remote_index, true, now.mono);
	wg_send_end_initiation(d, p, true);
	ct_wipe(&keys, sizeof(keys));
	if (rc < 0)
		return; /* the timer starts another handshake */
	p->stats.rx_bytes += dg->len;
	p->stats.last_handshake = now.wall;
	wg_timers_any_received(p);
	wg_timers_handshake_complete(p);
	wg_timers_session_derived(p, now.mono);
	roam(d, p, dg);
	tell(d, WG_OUT_ANSWERED, p, dg);
	tell(d, WG_OUT_SESSION, p, NULL);
	wg_send_keepalive(d, p, now); /* staged data or an empty packet: it confirms the session */
}

static void receive_cookie_reply(struct wg_device *d, const struct wg_datagram *dg, mono_ns now)
{
	const struct wgmsg_cookie_reply *m = (const void *)dg->p;
	struct index_entry *e = wg_index_find(d, load_le32(m->receiver));

	if (!e || wg_cookie_consume(&e->peer->cookies, m, now) < 0)
		d->counters.bad_handshake++;
	else
		d->counters.cookie_received++;
}

/* The length that the inner header claims; 0 if that is no IP packet that fits. */
static size_t inner_length(const uint8_t *p, size_t len)
{
	size_t n = 0;

	if (len >= 20 && p[0] >> 4 == 4)
		n = load_be16(p + 2);
	else if (len >= 40 && p[0] >> 4 == 6)
		n = (size_t)load_be16(p + 4) + 40;
	else
		return 0;
	return n >= (p[0] >> 4 == 4 ? 20u : 40u) && n <= len ? n : 0;
}

enum opened { OPENED_NOT, OPENED_NOTHING, OPENED_PACKET };

/*
 * Behind the AEAD: replay, cryptokey routing. OPENED_NOT: nothing new from the peer; OPENED_NOTHING: a sign of life;
 * OPENED_PACKET: ret is an inner packet to deliver.
 */
static enum opened accept_opened(struct wg_device *d, struct wg_peer *p,
	const struct wg_datagram *dg, const struct chapoly_job *j, bool fresh, struct now now,
	struct pkt *ret)
{
	size_t len = j->len - CHAPOLY_TAG_LEN, n;

	if (!j->ok) {
		d->counters.bad_tag++;
		return OPENED_NOT;
	}
	if (!fresh) {
		d->counters.replay++;
		return OPENED_NOT;
	}
	roam(d, p, dg);
	p->stats.rx_bytes += dg->len;
	p->stats.last_received = now.mono;
	if (len == 0) /* a keepalive */
		return OPENED_NOTHING;
	n = inner_length(j->out, len);
	if (!n) {
		d->counters.bad_inner++;
		return OPENED_NOTHING;
	}
	if (wg_allowedips_find_src(&d->allowed, j->out, n) != &p->allowed) {
		d->counters.bad_source++;
		return OPENED_NOTHING;
	}
	*ret = (struct pkt){ .p = j->out, .len = n };
	return OPENED_PACKET;
}

/* The responder's session is used for the first time: the other side has the keys. */
static void first_use(struct wg_device *d, struct wg_peer *p, struct now now)
{
	wg_session_confirm(p);
	wg_send_end_initiation(d, p, false); /* ours has served its purpose */
	p->stats.last_handshake = now.wall;
	wg_timers_handshake_complete(p);
	tell(d, WG_OUT_SESSION, p, NULL);
	wg_send_staged(d, p, now);
}

/* A run of transport messages of one session, which the caller holds. */
static void open_run(struct wg_device *d, struct wg_peer *p, struct wg_session *k,
	struct wg_datagram *dg, size_t n, struct now now)
{
	struct chapoly_job jobs[PKT_BATCH_MAX];
	struct pkt *out = wg_queue_inner(d, n);
	size_t n_out = 0;
	bool fresh[PKT_BATCH_MAX], authentic = false;

	if (!out)
		return;
	for (size_t i = 0; i < n; i++)
		jobs[i] = (struct chapoly_job){ .counter = wgmsg_transport_counter(dg[i].p),
			.in = dg[i].p + sizeof(struct wgmsg_transport),
			.len = dg[i].len - sizeof(struct wgmsg_transport),
			.out = dg[i].p + sizeof(struct wgmsg_transport) };
	chapoly_open_batch(&k->receive, jobs, n);
	wg_replay_accept(&k->replay, jobs, n, REJECT_AFTER_MESSAGES, fresh);
	for (size_t i = 0; i < n; i++) {
		enum opened o = accept_opened(d, p, &dg[i], &jobs[i], fresh[i], now, &out[n_out]);

		authentic = authentic || o != OPENED_NOT;
		n_out += o == OPENED_PACKET;
	}
	d->counters.received_datagrams += n;
	if (!authentic)
		return;
	wg_timers_any_received(p);
	k->last_rx = now.mono;
	if (k == p->session[SESSION_NEXT])
		first_use(d, p, now); /* k is the current one now */
	if (n_out) {
		wg_timers_data_received(p, now.mono);
		wg_queue_add_inner(d, p, n_out);
	}
	if (wg_session_wants_rekey_on_receive(k, now.mono) &&
		p->timer[TIMER_RETRANSMIT] == MONO_NEVER)
		wg_send_initiation(d, p, now, false);
}

/* A run of transport messages with one receiver index. */
static void receive_run(struct wg_device *d, struct wg_datagram *dg, size_t n, struct now now)
{
	uint32_t index = wgmsg_transport_receiver(dg[0].p);
	struct index_entry *e = wg_index_find(d, index);
	struct wg_peer *p = e ? e->peer : NULL;
	struct wg_session *k = p ? wg_session_by_index(p, index) : NULL;

	if (!k || now.mono - k->born >= REJECT_AFTER_TIME) {
		d->counters.no_session += n;
		tell(d, WG_OUT_UNKNOWN_SESSION, NULL, &dg[0]);
		return;
	}
	wg_session_ref(k);
	open_run(d, p, k, dg, n, now);
	wg_session_unref(k);
}

static size_t run_length(const struct wg_datagram *dg, size_t n)
{
	size_t i = 1;

	while (i < n && wgmsg_type(dg[i].p, dg[i].len) == WGMSG_TRANSPORT &&
		wgmsg_transport_receiver(dg[i].p) == wgmsg_transport_receiver(dg[0].p))
		i++;
	return i;
}

void wg_receive(struct wg_device *d, struct wg_datagram *dg, size_t n, struct now now)
{
	CHECK(n <= PKT_BATCH_MAX);
	for (size_t i = 0; i < n;) {
		size_t run = 1;

		switch (wgmsg_type(dg[i].p, dg[i].len)) {
		case WGMSG_TRANSPORT:
			run = run_length(&dg[i], n - i);
			receive_run(d, &dg[i], run, now);
			break;
		case WGMSG_INITIATION:
			receive_initiation(d, &dg[i], now);
			break;
		case WGMSG_RESPONSE:
			receive_response(d, &dg[i], now);
			break;
		case WGMSG_COOKIE_REPLY:
			receive_cookie_reply(d, &dg[i], now.mono);
			break;
		case WGMSG_INVALID:
			d->counters.bad_message++;
			break;
		}
		i += run;
	}
}
