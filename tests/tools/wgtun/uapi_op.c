#include "base/err/err.h"
#include "base/text/text.h"
#include "crypto/ct/ct.h"
#include "uapi.h"

#include <errno.h>

struct line {
	const char *key, *value;
	size_t key_len, value_len;
};

/* The next key=value; false at the end. Sets bad for a line that is none. */
static bool next_line(struct cur *c, struct line *ret, bool *bad)
{
	const char *s = (const char *)c->p, *nl, *eq;

	if (!cur_left(c))
		return false;
	nl = memchr(s, '\n', cur_left(c));
	eq = nl ? memchr(s, '=', (size_t)(nl - s)) : NULL;
	*bad = !eq;
	if (!eq)
		return false;
	*ret = (struct line){ s, eq + 1, (size_t)(eq - s), (size_t)(nl - eq - 1) };
	cur_skip(c, (size_t)(nl + 1 - s));
	return true;
}

static bool is(const struct line *l, const char *key)
{
	return l->key_len == strlen(key) && memcmp(l->key, key, l->key_len) == 0;
}

static bool is_true(const struct line *l)
{
	return l->value_len == 4 && memcmp(l->value, "true", 4) == 0;
}

static int value_key(const struct line *l, uint8_t ret[static 32])
{
	return l->value_len == 64 && hex_decode(l->value, 64, ret) == 0 ? 0 : -EINVAL;
}

static int value_number(const struct line *l, uint64_t max, uint64_t *ret)
{
	return text_u64(l->value, l->value_len, max, ret) == 0 ? 0 : -EINVAL;
}

/* The peer that the lines speak of. */
struct set {
	struct wgtun *w;
	struct wg_peer *peer;
	struct node_pub key;
	bool in_peer, made; /* in_peer without peer: its lines are read and ignored */
};

/* As the kernel does: whose key becomes our own is no peer any more. */
static void remove_own_peer(struct wgtun *w, const struct secret_node *k)
{
	struct wg_peer *p;
	struct node_pub own;

	if (key_public(k->b, own.b) < 0)
		return;
	p = wg_peer_find(w->dev, &own);
	if (p)
		wg_peer_remove(w->dev, p);
}

static int set_private(struct wgtun *w, const struct line *l)
{
	uint8_t key[KEY_LEN];
	struct secret_node k;
	int rc = value_key(l, key);

	if (rc < 0)
		return rc;
	w->has_private = !ct_is_zero(key, sizeof(key));
	if (!w->has_private)
		key_generate(loop_rng(), key); /* no identity: one that nobody knows */
	memcpy(k.b, key, sizeof(key));
	w->private = k;
	remove_own_peer(w, &k);
	rc = wg_set_private(w->dev, &k, loop_now(w->loop).mono);
	ct_wipe(key, sizeof(key));
	ct_wipe(&k, sizeof(k));
	return rc < 0 ? -EINVAL : 0;
}

static int set_port(struct wgtun *w, uint16_t port)
{
	int rc;

	if (port == udp_port(w->udp, 4))
		return 0;
	rc = udp_rebind(w->udp, port);
	if (rc == 0 && port && udp_port(w->udp, 4) != port)
		return -EADDRINUSE; /* it has its old one */
	return rc;
}

static int set_mark(struct wgtun *w, uint32_t mark)
{
	w->mark = mark;
	return udp_set_mark(w->udp, mark);
}

static int set_device(struct set *s, const struct line *l)
{
	struct wgtun *w = s->w;
	uint64_t v;
	int rc;

	if (is(l, "private_key"))
		return set_private(w, l);
	if (is(l, "listen_port")) {
		rc = value_number(l, UINT16_MAX, &v);
		return rc < 0 ? rc : set_port(w, (uint16_t)v);
	}
	if (is(l, "fwmark")) {
		rc = value_number(l, UINT32_MAX, &v);
		return rc < 0 ? rc : set_mark(w, (uint32_t)v);
	}
	if (is(l, "replace_peers") && is_true(l)) {
		for (struct wg_peer *p = wg_peer_next(w->dev, NULL), *next; p; p = next) {
			next = wg_peer_next(w->dev, p);
			wg_peer_remove(w->dev, p);
		}
		return 0;
	}
	return -EINVAL;
}

static int begin_peer(struct set *s, const struct line *l)
{
	int rc = value_key(l, s->key.b);

	if (rc < 0)
		return rc;
	s->in_peer = true;
	s->made = false;
	s->peer = wg_peer_find(s->w->dev, &s->key);
	if (s->peer)
		return 0;
	rc = wg_peer_add(s->w->dev, &s->key, &s->peer);
	s->made = rc == 0;
	if (rc == -ERR_BAD_KEY) /* ourselves: ignored, as by the others */
		return 0;
	return rc < -ERR_FIRST ? -EINVAL : rc;
}

static int set_endpoint(struct set *s, const struct line *l)
{
	struct wg_source src;
	struct ipport a;

	if (ipport_parse(l->value, l->value_len, &a) < 0)
		return -EINVAL;
	src = source_of(a);
	wg_peer_set_source(s->peer, &src);
	return 0;
}

static int set_allowed(struct set *s, const struct line *l)
{
	bool minus = l->value_len && l->value[0] == '-';
	struct ipprefix p;

	if (ipprefix_parse(l->value + minus, l->value_len - minus, &p) < 0)
		return -EINVAL;
	if (!minus)
		return wg_peer_allow(s->w->dev, s->peer, p);
	wg_peer_disallow(s->w->dev, s->peer, p);
	return 0;
}

static int set_peer(struct set *s, const struct line *l)
{
	uint8_t key[32];
	uint64_t v;
	int rc;

	if (!s->peer)
		return 0;
	if (is(l, "remove") && is_true(l)) {
		wg_peer_remove(s->w->dev, s->peer);
		s->peer = NULL;
		return 0;
	}
	if (is(l, "update_only") && is_true(l)) {
		if (s->made) {
			wg_peer_remove(s->w->dev, s->peer);
			s->peer = NULL;
		}
		return 0;
	}
	if (is(l, "preshared_key")) {
		rc = value_key(l, key);
		if (rc == 0)
			wg_peer_set_psk(s->peer, key);
		ct_wipe(key, sizeof(key));
		return rc;
	}
	if (is(l, "endpoint"))
		return set_endpoint(s, l);
	if (is(l, "persistent_keepalive_interval")) {
		rc = value_number(l, UINT16_MAX, &v);
		if (rc == 0)
			wg_peer_set_keepalive(
				s->w->dev, s->peer, (unsigned)v, loop_now(s->w->loop).mono);
		return rc;
	}
	if (is(l, "replace_allowed_ips") && is_true(l)) {
		if (!s->made)
			wg_peer_disallow_all(s->w->dev, s->peer);
		return 0;
	}
	if (is(l, "allowed_ip"))
		return set_allowed(s, l);
	if (is(l, "protocol_version"))
		return l->value_len == 1 && l->value[0] == '1' ? 0 : -EINVAL;
	return -EINVAL;
}

static int op_set(struct wgtun *w, struct cur *c)
{
	struct set s = { .w = w };
	bool bad = false;
	struct line l;
	int rc = 0;

	while (rc == 0 && next_line(c, &l, &bad)) {
		if (is(&l, "public_key"))
			rc = begin_peer(&s, &l);
		else
			rc = s.in_peer ? set_peer(&s, &l) : set_device(&s, &l);
	}
	return bad ? -EINVAL : rc;
}

/* All prefixes in one walk, sorted by peer, so that a dump is not quadratic. */
struct owned {
	const void *peer;
	struct ipprefix p;
};

struct owned_list {
	struct owned *v;
	size_t n, cap;
	bool failed;
};

static void collect(void *ctx, struct ipprefix p, void *peer)
{
	struct owned_list *o = ctx;

	if (o->n == o->cap) {
		size_t cap = o->cap ? o->cap * 2 : 64;
		void *v = realloc(o->v, cap * sizeof(*o->v));

		o->failed = o->failed || !v;
		if (!v)
			return;
		o->v = v;
		o->cap = cap;
	}
	o->v[o->n++] = (struct owned){ peer, p };
}

static int by_peer(const void *a, const void *b)
{
	const struct owned *x = a, *y = b;

	return x->peer < y->peer ? -1 : x->peer > y->peer;
}

static int put_key(struct buf *out, const char *name, const uint8_t key[static 32])
{
	char hex[65];
	int rc;

	hex_encode(key, 32, hex);
	rc = buf_printf(out, "%s=%s\n", name, hex);
	ct_wipe(hex, sizeof(hex));
	return rc;
}

static int put_allowed(struct buf *out, const struct owned_list *o, const struct wg_peer *p)
{
	struct owned key = { .peer = p },
		     *f = o->n ? bsearch(&key, o->v, o->n, sizeof(*o->v), by_peer) : NULL;
	char text[IPPREFIX_TEXT_MAX];
	int rc = 0;

	while (f && f > o->v && f[-1].peer == p)
		f--;
	for (; rc == 0 && f && f < o->v + o->n && f->peer == p; f++)
		rc = buf_printf(out, "allowed_ip=%s\n", ipprefix_format(f->p, text));
	return rc;
}

static int put_peer(struct buf *out, const struct owned_list *o, const struct wg_peer *p)
{
	struct ipport a = source_address(wg_peer_source(p));
	struct wg_peer_stats st;
	char text[IPPORT_TEXT_MAX];
	int rc = put_key(out, "public_key", wg_peer_key(p)->b);

	wg_peer_stats(p, &st);
	if (rc == 0)
		rc = put_key(out, "preshared_key", wg_peer_psk(p));
	if (rc == 0)
		rc = buf_append_str(out, "protocol_version=1\n");
	if (rc == 0 && ipaddr_is_set(a.ip))
		rc = buf_printf(out, "endpoint=%s\n", ipport_format(a, text));
	if (rc == 0)
		rc = buf_printf(out,
			"last_handshake_time_sec=%lld\nlast_handshake_time_nsec=%lld\ntx_bytes=%llu\nrx_bytes=%llu\n"
			"persistent_keepalive_interval=%u\n",
			(long long)(st.last_handshake / 1000),
			(long long)(st.last_handshake % 1000 * 1000000),
			(unsigned long long)st.tx_bytes, (unsigned long long)st.rx_bytes,
			wg_peer_keepalive(p));
	return rc == 0 ? put_allowed(out, o, p) : rc;
}

static int op_get(struct wgtun *w, struct buf *out)
{
	struct owned_list o = { 0 };
	int rc = 0;

	wg_allowed_each(w->dev, collect, &o);
	if (o.failed) {
		free(o.v);
		return -ENOMEM;
	}
	if (o.n)
		qsort(o.v, o.n, sizeof(*o.v), by_peer);
	if (w->has_private)
		rc = put_key(out, "private_key", w->private.b);
	if (rc == 0)
		rc = buf_printf(out, "listen_port=%u\n", udp_port(w->udp, 4));
	if (rc == 0 && w->mark)
		rc = buf_printf(out, "fwmark=%u\n", w->mark);
	for (struct wg_peer *p = wg_peer_next(w->dev, NULL); rc == 0 && p;
		p = wg_peer_next(w->dev, p))
		rc = put_peer(out, &o, p);
	free(o.v);
	return rc;
}

int uapi_run(struct wgtun *w, const char *op, size_t len, struct buf *out)
{
	struct cur c = cur_over(op, len);
	size_t before = buf_len(out);
	bool bad = false;
	struct line l;
	int rc = -EINVAL;

	if (next_line(&c, &l, &bad) && l.value_len == 1 && l.value[0] == '1') {
		if (is(&l, "get"))
			rc = op_get(w, out);
		else if (is(&l, "set"))
			rc = op_set(w, &c);
	}
	if (rc < 0)
		buf_truncate(out, before);
	if (rc <= -ERR_FIRST)
		rc = -EINVAL; /* errno is all that this protocol can say */
	return buf_printf(out, "errno=%d\n\n", rc);
}
