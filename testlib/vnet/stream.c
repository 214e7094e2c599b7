#include "testlib/vnet/internal.h"

#include <errno.h>
#include <stdlib.h>

/*
 * As much of TCP as makes a stream behave like one (RFC 9293, 6298, 6582): sequence numbers from a random start, one
 * cumulative acknowledgement per segment, retransmission after a timeout or three repeated acknowledgements, a window
 * that starts at ten segments. No half-open streams: when one side closes, the other side's owner is told and its
 * stream closes, too.
 *
 *   SYN_SENT --SYN|ACK--> OPEN <--ACK-- SYN_RCVD <--SYN (listener)
 *   OPEN --FIN either way--> CLOSING (no owner) --both FINs acknowledged, or time is up--> gone
 */
enum state { SYN_SENT, SYN_RCVD, OPEN, CLOSING, DEAD };

enum { INITIAL_WINDOW = 10 * VNET_STREAM_SEGMENT };
#define CLOSING_LIFE SEC(60)

struct late {
	struct list link;
	uint64_t seq;
	bool fin;
	size_t len;
	uint8_t data[];
};

struct vnet_stream {
	struct list link;
	struct vnet_dev *dev;
	struct ipport local, remote;
	enum state state;
	const struct vnet_stream_ops *ops; /* NULL: no owner */
	void *ctx;
	struct vnet_listener *listener; /* SYN_RCVD */
	bool cut_short;                 /* a write was */
	int in_call;

	struct buf out; /* what lies at una and after */
	uint64_t isn, una, nxt,
		recover; /* recover: where a loss was noticed; no more than one cut of the window till then */
	bool fin; /* follows what is in out */
	size_t window;
	unsigned tries, repeats;
	struct vnet_event timer, keep; /* keep: of one's own connect */
	unsigned asked;                /* keep-alives without an answer */
	mono_ns heard_at, waits_since; /* waits_since: the oldest that is not acknowledged */
	mono_ns srtt, rttvar, rto, timed_at, closing_since;
	uint64_t timed; /* the sequence number whose acknowledgement is measured; 0: none */

	uint64_t remote_isn, rcv;
	bool remote_fin;
	struct list late; /* came before what lies between, in order */
};

struct vnet_listener {
	struct list link; /* first: dev_free */
	struct vnet_dev *dev;
	uint16_t port;
	void (*on_accept)(void *ctx, struct vnet_stream *s);
	void *ctx;
};

static void on_timer(struct vnet_event *e);
static void on_keep(struct vnet_event *e);
static void push(struct vnet_stream *s);

static mono_ns now_of(const struct vnet_stream *s)
{
	return s->dev->v->now;
}

static void late_free(struct late *l)
{
	list_remove(&l->link);
	free(l);
}

static void stream_free(struct vnet_stream *s)
{
	while (!list_empty(&s->late))
		late_free(container_of(s->late.next, struct late, link));
	heap_remove(&s->dev->v->events, &s->timer.at);
	heap_remove(&s->dev->v->events, &s->keep.at);
	list_remove(&s->link);
	buf_fini(&s->out);
	free(s);
}

/* Nothing is heard of it any more; the memory goes when no callback is running on it. */
static void end(struct vnet_stream *s)
{
	s->state = DEAD;
	s->ops = NULL;
	if (!s->in_call)
		stream_free(s);
}

static void call_begin(struct vnet_stream *s)
{
	s->in_call++;
}

static void call_end(struct vnet_stream *s)
{
	if (--s->in_call == 0 && s->state == DEAD)
		stream_free(s);
}

static void end_telling(struct vnet_stream *s, int rc)
{
	const struct vnet_stream_ops *ops = s->ops;
	void *ctx = s->ctx;

	end(s);
	if (ops)
		ops->on_closed(ctx, rc);
}

static struct vnet_stream *stream_new(
	struct vnet_dev *d, struct ipport local, struct ipport remote, enum state state)
{
	struct vnet_stream *s = calloc(1, sizeof(*s));

	CHECK(s);
	s->dev = d;
	s->local = local;
	s->remote = remote;
	s->state = state;
	s->timer.fire = on_timer;
	s->keep.fire = on_keep;
	s->isn = (uint64_t)rng_u32(&d->v->rng.rng) << 24 | 1;
	s->una = s->nxt = s->recover = s->isn + 1;
	s->window = INITIAL_WINDOW;
	s->rto = SEC(1);
	buf_init(&s->out, VNET_STREAM_BUF_MAX);
	list_init(&s->late);
	list_push_tail(&d->streams, &s->link);
	return s;
}

static void segment(struct vnet_dev *d, struct ipport src, struct ipport dst, unsigned flags,
	uint64_t seq, uint64_t ack, const void *data, size_t len)
{
	struct pkt *p = pkt_new(d->v, VNAT_TCP, src, dst, data, len);

	p->flags = flags;
	p->seq = seq;
	p->ack = ack;
	pkt_send_take(d, p);
}

static void send_flags(struct vnet_stream *s, unsigned flags, uint64_t seq)
{
	segment(s->dev, s->local, s->remote, flags, seq, s->rcv, NULL, 0);
}

static void send_syn(struct vnet_stream *s)
{
	send_flags(s, s->state == SYN_SENT ? SEG_SYN : SEG_SYN | SEG_ACK, s->isn);
	s->timed = s->tries ? 0 : s->isn + 1;
	s->timed_at = now_of(s);
	vnet_at(s->dev->v, &s->timer, now_of(s) + (SEC(1) << s->tries));
}

/* --- sending --- */

static uint64_t end_of_data(const struct vnet_stream *s)
{
	return s->una + buf_len(&s->out);
}

static uint64_t end_of_all(const struct vnet_stream *s)
{
	return end_of_data(s) + (s->fin ? 1 : 0);
}

/* One segment at seq, with what there is; returns what it took of the sequence. */
static size_t send_from(struct vnet_stream *s, uint64_t seq)
{
	size_t at = seq - s->una, len = 0;
	bool fin;

	if (seq < end_of_data(s))
		len = MIN_OF((size_t)VNET_STREAM_SEGMENT, buf_len(&s->out) - at);
	fin = s->fin && seq + len == end_of_data(s);
	segment(s->dev, s->local, s->remote, SEG_ACK | (fin ? SEG_FIN : 0), seq, s->rcv,
		buf_data(&s->out) + at, len);
	return len + fin;
}

static void arm(struct vnet_stream *s)
{
	vnet_at(s->dev->v, &s->timer,
		s->una < s->nxt       ? now_of(s) + MIN_OF(s->rto << s->tries, SEC(120))
		: s->state == CLOSING ? s->closing_since + CLOSING_LIFE
				      : MONO_NEVER);
}

static void push(struct vnet_stream *s)
{
	bool idle = s->una == s->nxt;

	if (idle)
		s->waits_since = now_of(s);
	while (s->nxt < end_of_all(s) && s->nxt - s->una < s->window) {
		if (!s->timed) {
			s->timed = s->nxt + 1;
			s->timed_at = now_of(s);
		}
		s->nxt += send_from(s, s->nxt);
	}
	if (idle || s->una == s->nxt)
		arm(s);
}

static void again(struct vnet_stream *s)
{
	s->dev->v->n.retransmitted++;
	s->timed = 0; /* whose acknowledgement comes is not known (Karn) */
	(void)send_from(s, s->una);
}

static void on_timer(struct vnet_event *e)
{
	struct vnet_stream *s = container_of(e, struct vnet_stream, timer);
	bool opening = s->state == SYN_SENT || s->state == SYN_RCVD;

	if (s->state == CLOSING && now_of(s) >= s->closing_since + CLOSING_LIFE) {
		end(s);
	} else if (s->state == SYN_SENT && !ipaddr_is_set(s->local.ip)) {
		end_telling(s, -ENETUNREACH);
	} else if (++s->tries >= VNET_SYN_TRIES && opening) {
		end_telling(s, -ETIMEDOUT);
	} else if (!opening && now_of(s) >= s->waits_since + VNET_USER_TIMEOUT) {
		end_telling(s, -ETIMEDOUT);
	} else if (opening) {
		send_syn(s);
	} else {
		s->window = 2 * VNET_STREAM_SEGMENT;
		s->nxt = s->recover = s->una; /* all of it again, as the window allows */
		again(s);
		s->nxt = s->una + MIN_OF((uint64_t)VNET_STREAM_SEGMENT, end_of_all(s) - s->una);
		arm(s);
	}
}

static void on_keep(struct vnet_event *e)
{
	struct vnet_stream *s = container_of(e, struct vnet_stream, keep);
	mono_ns due = s->heard_at + VNET_KEEP_IDLE + (mono_ns)s->asked * VNET_KEEP_INTERVAL;

	if (s->state != OPEN)
		return;
	if (now_of(s) >= due && s->asked == VNET_KEEP_TRIES) {
		end_telling(s, -ETIMEDOUT);
		return;
	}
	if (now_of(s) >= due) {
		s->asked++;
		due = now_of(s) + VNET_KEEP_INTERVAL;
		send_flags(s, SEG_ACK, s->nxt - 1); /* of before: it has to be answered */
	}
	vnet_at(s->dev->v, &s->keep, due);
}

/* RFC 6298 */
static void measure(struct vnet_stream *s, uint64_t ack)
{
	mono_ns r = now_of(s) - s->timed_at, diff;

	if (!s->timed || ack < s->timed)
		return;
	s->timed = 0;
	diff = s->srtt > r ? s->srtt - r : r - s->srtt;
	s->rttvar = s->srtt ? (3 * s->rttvar + diff) / 4 : r / 2;
	s->srtt = s->srtt ? (7 * s->srtt + r) / 8 : r;
	s->rto = MAX_OF(s->srtt + MAX_OF(4 * s->rttvar, VNET_RTO_MIN / 2), VNET_RTO_MIN);
}

/* Nothing new was acknowledged while something is under way: a gap at the other side. */
static void on_repeat(struct vnet_stream *s)
{
	if (s->una == s->nxt || ++s->repeats != 3 || s->una < s->recover)
		return;
	s->recover = s->nxt;
	s->window = MAX_OF(s->window / 2, (size_t)2 * VNET_STREAM_SEGMENT);
	again(s);
}

static void on_ack(struct vnet_stream *s, uint64_t ack, bool bare)
{
	uint64_t n = ack - s->una;

	if (ack == s->una && bare)
		on_repeat(s);
	if (ack <= s->una || ack > end_of_all(s))
		return;
	measure(s, ack);
	s->fin = s->fin && ack < end_of_all(s);
	buf_consume(&s->out, MIN_OF(n, buf_len(&s->out)));
	s->una = ack;
	s->waits_since = now_of(s);
	s->nxt = MAX_OF(s->nxt, ack);
	s->tries = s->repeats = 0;
	s->window = MIN_OF(s->window + (size_t)n, (size_t)VNET_STREAM_BUF_MAX);
	if (s->una < s->recover && s->una < s->nxt)
		again(s); /* the next gap of the same loss */
	arm(s);
	push(s);
}

/* --- receiving --- */

static void keep_late(struct vnet_stream *s, const struct pkt *p)
{
	struct late *l;
	struct list *at = &s->late;

	list_for_each(k, &s->late) {
		l = container_of(k, struct late, link);
		if (l->seq == p->seq && l->len >= p->len)
			return;
		if (l->seq > p->seq) {
			at = k;
			break;
		}
	}
	l = calloc(1, sizeof(*l) + p->len);
	CHECK(l);
	l->seq = p->seq;
	l->fin = p->flags & SEG_FIN;
	l->len = p->len;
	if (p->len)
		memcpy(l->data, p->data, p->len);
	list_insert_before(at, &l->link);
}

static void take(struct vnet_stream *s, uint64_t seq, const uint8_t *p, size_t len, bool fin)
{
	size_t skip = s->rcv - seq; /* seq <= rcv */

	if (s->remote_fin || seq + len + fin <= s->rcv)
		return;
	s->rcv = seq + len + fin;
	s->remote_fin = fin;
	if (s->ops && len > skip)
		s->ops->on_data(s->ctx, p + skip, len - skip);
}

static void take_late(struct vnet_stream *s)
{
	while (!list_empty(&s->late)) {
		struct late *l = container_of(s->late.next, struct late, link);

		if (l->seq > s->rcv)
			return;
		take(s, l->seq, l->data, l->len, l->fin);
		late_free(l);
	}
}

static void on_payload(struct vnet_stream *s, const struct pkt *p)
{
	bool fin = p->flags & SEG_FIN;

	if (p->len + fin == 0 && p->seq + 1 == s->rcv)
		send_flags(s, SEG_ACK, s->nxt); /* a keep-alive */
	if (p->len + fin == 0)
		return;
	if (p->seq > s->rcv && p->seq + p->len <= s->rcv + VNET_STREAM_BUF_MAX)
		keep_late(s, p);
	else if (p->seq <= s->rcv)
		take(s, p->seq, p->data, p->len, fin);
	take_late(s);
	if (s->state != DEAD)
		send_flags(s, SEG_ACK, s->nxt);
}

static void start_closing(struct vnet_stream *s)
{
	s->state = CLOSING;
	s->ops = NULL;
	s->fin = true;
	s->closing_since = now_of(s);
	push(s);
}

static void on_open_segment(struct vnet_stream *s, const struct pkt *p)
{
	bool had_fin = s->remote_fin;

	on_ack(s, p->ack, p->len == 0 && !(p->flags & SEG_FIN));
	on_payload(s, p);
	if (s->state == OPEN && s->cut_short && buf_len(&s->out) <= VNET_STREAM_BUF_MAX / 2) {
		s->cut_short = false;
		s->ops->on_room(s->ctx);
	}
	if (s->state == OPEN && s->remote_fin && !had_fin) {
		const struct vnet_stream_ops *ops = s->ops;

		start_closing(s);
		ops->on_closed(s->ctx, 0);
	}
	if (s->state == CLOSING && s->remote_fin && !s->fin && buf_len(&s->out) == 0)
		s->state = DEAD;
}

/* A segment that belongs to what these two are saying to each other now, not to something before. */
static bool plausible(const struct vnet_stream *s, const struct pkt *p)
{
	return p->seq + VNET_STREAM_BUF_MAX + 2 >= s->rcv && p->seq <= s->rcv + VNET_STREAM_BUF_MAX;
}

static void on_reset(struct vnet_stream *s, const struct pkt *p)
{
	if (s->state == SYN_SENT ? p->ack != s->isn + 1 : !plausible(s, p))
		return;
	s->dev->v->n.resets++;
	end_telling(s, s->state == SYN_SENT ? -ECONNREFUSED : -ECONNRESET);
}

static void on_syn_sent(struct vnet_stream *s, const struct pkt *p)
{
	if (!(p->flags & SEG_SYN) || !(p->flags & SEG_ACK) || p->ack != s->isn + 1)
		return;
	measure(s, p->ack);
	s->state = OPEN;
	s->tries = 0;
	s->remote_isn = p->seq;
	s->rcv = p->seq + 1;
	arm(s);
	vnet_at(s->dev->v, &s->keep, now_of(s) + VNET_KEEP_IDLE);
	send_flags(s, SEG_ACK, s->nxt);
	s->ops->on_connected(s->ctx);
}

static void on_syn_rcvd(struct vnet_stream *s, const struct pkt *p)
{
	if (p->flags & SEG_SYN) {
		send_syn(s);
		return;
	}
	if (p->ack < s->isn + 1 || !s->listener)
		return;
	measure(s, s->isn + 1);
	s->state = OPEN;
	s->tries = 0;
	arm(s);
	s->listener->on_accept(s->listener->ctx, s);
	if (s->state != DEAD)
		on_open_segment(s, p);
}

static void on_segment(struct vnet_stream *s, const struct pkt *p)
{
	switch (s->state) {
	case SYN_SENT:
		on_syn_sent(s, p);
		break;
	case SYN_RCVD:
		on_syn_rcvd(s, p);
		break;
	case OPEN:
	case CLOSING:
		if (p->flags & SEG_SYN)
			send_flags(s, SEG_ACK, s->nxt); /* it has not heard that it is connected */
		else if (plausible(s, p))
			on_open_segment(s, p);
		break;
	case DEAD:
		break;
	}
}

static struct vnet_stream *stream_find(struct vnet_dev *d, const struct pkt *p)
{
	list_for_each(l, &d->streams) {
		struct vnet_stream *s = container_of(l, struct vnet_stream, link);

		if (s->state != DEAD && ipport_eq(s->local, p->dst) && ipport_eq(s->remote, p->src))
			return s;
	}
	return NULL;
}

static struct vnet_listener *listener_find(struct vnet_dev *d, uint16_t port)
{
	list_for_each(l, &d->listeners) {
		struct vnet_listener *k = container_of(l, struct vnet_listener, link);

		if (k->port == port)
			return k;
	}
	return NULL;
}

static void on_stranger(struct vnet_dev *d, const struct pkt *p)
{
	struct vnet_listener *l = listener_find(d, p->dst.port);
	struct vnet_stream *s;

	if (p->flags & SEG_RST)
		return;
	if (p->flags != SEG_SYN || !l) {
		segment(d, p->dst, p->src, SEG_RST, p->ack, p->seq + (p->flags & SEG_SYN ? 1 : 0),
			NULL, 0);
		return;
	}
	s = stream_new(d, p->dst, p->src, SYN_RCVD);
	s->listener = l;
	s->remote_isn = p->seq;
	s->rcv = p->seq + 1;
	send_syn(s);
}

void stream_on_segment(struct vnet_dev *d, const struct pkt *p)
{
	struct vnet_stream *s = stream_find(d, p);

	/* The other side has forgotten the old one and begins anew from the same port. */
	if (s && p->flags == SEG_SYN && s->state != SYN_SENT && p->seq != s->remote_isn) {
		end_telling(s, -ECONNRESET);
		s = NULL;
	}
	if (!s) {
		on_stranger(d, p);
		return;
	}
	s->heard_at = now_of(s);
	s->asked = 0;
	call_begin(s);
	if (p->flags & SEG_RST)
		on_reset(s, p);
	else
		on_segment(s, p);
	call_end(s);
}

/* --- the owner's side --- */

static bool port_used(const struct vnet_dev *d, uint16_t port)
{
	list_for_each(l, &d->streams)
		if (container_of(l, struct vnet_stream, link)->local.port == port)
			return true;
	return false;
}

struct vnet_stream *vnet_connect(
	struct vnet_dev *d, struct ipport to, const struct vnet_stream_ops *ops, void *ctx)
{
	struct ipport local = { .ip = source_for(d, to.ip) };
	struct vnet_stream *s;

	do
		local.port = d->next_port =
			(uint16_t)(d->next_port >= 60000 ? 32768 : d->next_port + 1);
	while (port_used(d, local.port));
	s = stream_new(d, local, to, SYN_SENT);
	s->ops = ops;
	s->ctx = ctx;
	if (ipaddr_is_set(local.ip))
		send_syn(s);
	else
		vnet_at(d->v, &s->timer, d->v->now); /* told from the loop, not from here */
	return s;
}

size_t vnet_write(struct vnet_stream *s, const void *p, size_t len)
{
	size_t n = MIN_OF(len, VNET_STREAM_BUF_MAX - buf_len(&s->out));

	CHECK(s->state == OPEN);
	s->cut_short = n < len;
	CHECK(buf_append(&s->out, p, n) == 0);
	push(s);
	return n;
}

struct vnet_stream *vnet_stream_close(struct vnet_stream *s)
{
	if (!s)
		return NULL;
	if (s->state != OPEN)
		return vnet_stream_reset(s);
	start_closing(s);
	return NULL;
}

struct vnet_stream *vnet_stream_reset(struct vnet_stream *s)
{
	if (!s)
		return NULL;
	if (s->state == OPEN)
		send_flags(s, SEG_RST | SEG_ACK, s->nxt);
	end(s);
	return NULL;
}

struct ipport vnet_stream_remote(const struct vnet_stream *s)
{
	return s->remote;
}

void vnet_stream_set(struct vnet_stream *s, const struct vnet_stream_ops *ops, void *ctx)
{
	s->ops = ops;
	s->ctx = ctx;
}

struct vnet_listener *vnet_listen(struct vnet_dev *d, uint16_t port,
	void (*on_accept)(void *ctx, struct vnet_stream *s), void *ctx)
{
	struct vnet_listener *l = calloc(1, sizeof(*l));

	CHECK(l && !listener_find(d, port));
	*l = (struct vnet_listener){ .dev = d, .port = port, .on_accept = on_accept, .ctx = ctx };
	list_push_tail(&d->listeners, &l->link);
	return l;
}

struct vnet_listener *vnet_unlisten(struct vnet_listener *l)
{
	if (!l)
		return NULL;
	list_for_each_safe(k, &l->dev->streams) {
		struct vnet_stream *s = container_of(k, struct vnet_stream, link);

		if (s->listener == l && s->state == SYN_RCVD)
			end(s);
		else if (s->listener == l)
			s->listener = NULL;
	}
	list_remove(&l->link);
	free(l);
	return NULL;
}

void vnet_crash(struct vnet_dev *d)
{
	list_for_each_safe(l, &d->streams)
		end(container_of(l, struct vnet_stream, link));
}

void streams_free(struct vnet_dev *d)
{
	list_for_each_safe(l, &d->streams)
		stream_free(container_of(l, struct vnet_stream, link));
}

void streams_check(const struct vnet_dev *d)
{
	list_for_each(l, &d->streams) {
		const struct vnet_stream *s = container_of(l, struct vnet_stream, link);

		CHECK(s->una <= s->nxt && s->nxt <= end_of_all(s));
		CHECK(buf_len(&s->out) <= VNET_STREAM_BUF_MAX);
		CHECK(s->una == s->nxt || s->state == DEAD ||
			s->timer.at.pos); /* what is under way has a timer */
		CHECK((s->state == OPEN) == (s->ops != NULL) || s->state == SYN_SENT);
	}
}
