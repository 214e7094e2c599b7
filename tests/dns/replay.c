/*
 * The recordings of tests/fixtures/dns against our resolver: each question is asked of an engine with that state's configuration and a clock
 * of its own; what the recorded servers said is said again, when they are asked. Answers agree, or differs.txt has the reason.
 *
 *	replay FOLDER_OF_FIXTURES DIFFERS [--list]
 */
#include "core/dns/dns.h"
#include "core/dns/names/names.h"

#include "base/text/text.h"
#include "base/vec/vec.h"

#include <errno.h>
#include <jansson.h>
#include <zstd.h>

enum { TEXT_MAX = 1 << 16, PENDING_MAX = 256, UPSTREAMS = 64, ROUTES = 64, RECORDS = 64 };

static const struct {
	const char *name, *ip;
} servers[] = { { "g1", "10.53.0.1" }, { "g2", "10.53.0.2" }, { "c1", "10.53.1.1" },
	{ "c2", "10.53.1.2" }, { "s1", "10.53.2.1" }, { "b1", "10.53.9.1" }, { "b2", "10.53.9.2" },
	{ "v1", "fd53::1" }, { "k1", "1.1.1.1" }, { "k2", "1.0.0.1" }, { "k8", "8.8.8.8" },
	{ "k9", "8.8.4.4" } };

/* Something that a server says at a time. */
struct pending {
	uint64_t exchange;
	mono_ns at;
	uint8_t *bytes; /* NULL: the exchange fails */
	size_t len;
};

struct replay {
	struct rng_seeded rng;
	struct dns *d;
	struct dns_names *names;
	struct now now;
	struct pending pending[PENDING_MAX];
	size_t n_pending, used[UPSTREAMS]; /* of the case: how often each was asked */
	uint8_t answer[DNS_REPLY_MAX + 64];
	size_t answer_len;
	bool answered;
};

static struct replay w;

/* ---- The configuration of a state ---- */

static struct dns_upstream upstream_of(const char *addr)
{
	struct dns_upstream u = { .transport = DNS_UDP, .addr.port = 53 };

	if (!strncmp(addr, "https://", 8)) {
		u.transport = DNS_HTTPS;
		u.url = addr;
	} else {
		CHECK(ipaddr_parse(addr, strlen(addr), &u.addr.ip) == 0);
	}
	return u;
}

static size_t upstreams_of(json_t *list, struct dns_upstream *v)
{
	json_t *r;
	size_t i;

	json_array_foreach(list, i, r) v[i] =
		upstream_of(json_string_value(json_object_get(r, "Addr")));
	return json_array_size(list);
}

static void add_node(int64_t id, const char *name, json_t *addrs, bool wildcard)
{
	struct dns_host h = { .wildcard = wildcard };
	json_t *a;
	size_t i;

	CHECK(dnsmsg_name_parse(name, strlen(name), &h.name) == 0);
	json_array_foreach(addrs, i, a)
	{
		struct ipprefix p;

		CHECK(ipprefix_parse(json_string_value(a), strlen(json_string_value(a)), &p) == 0);
		h.addrs[h.n_addrs++] = p.ip;
	}
	CHECK(dns_names_set(w.names, id, &h) >= 0);
}

static void add_nodes(json_t *ctx, bool wildcard)
{
	json_t *peers = json_object_get(ctx, "peers"), *p;
	size_t i;

	dns_names_clear(w.names);
	add_node(1000, json_string_value(json_object_get(ctx, "selfName")),
		json_object_get(ctx, "selfAddresses"), wildcard);
	json_array_foreach(peers, i, p)
		add_node((int64_t)i, json_string_value(json_object_get(p, "Name")),
			json_object_get(p, "Addresses"), false);
}

static bool has4(json_t *ctx)
{
	json_t *a;
	size_t i;

	json_array_foreach(json_object_get(ctx, "selfAddresses"), i,
		a) if (strchr(json_string_value(a), '.')) return true;
	return false;
}

static const char *text_of(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

/* What core/node makes of it is tested with core/node; here by hand, so that one fault does not hide another. */
static void configure(const char *state, json_t *ctx)
{
	static struct dns_upstream up[ROUTES][8], defaults[8], base[2];
	static struct dns_route routes[ROUTES];
	static struct dns_record records[RECORDS];
	json_t *c = json_object_get(ctx, "DNSConfig"), *v;
	bool off = strstr(state, "accept-dns-off"), expired = strstr(state, "expired"),
	     exit = strstr(state, "exit-node");
	struct dns_config cfg = { .names = w.names,
		.domain = strchr(text_of(ctx, "selfName"), '.') + 1,
		.magic = json_is_true(json_object_get(c, "Proxied")),
		.v6_only = !has4(ctx),
		.aaaa = strstr(state, "aaaa"),
		.no_tcp_retries = strstr(state, "no-tcp"),
		.records = records,
		.routes = routes,
		.defaults = defaults,
		.no_base = off || expired || exit };
	const char *key;
	size_t i;

	add_nodes(ctx, strstr(state, "subdomain"));
	json_array_foreach(expired ? NULL : json_object_get(c, "ExtraRecords"), i,
		v) records[cfg.n_records++] =
		(struct dns_record){ text_of(v, "Name"), text_of(v, "Type"), text_of(v, "Value") };
	json_object_foreach(off || expired || exit ? NULL : json_object_get(c, "Routes"), key, v)
	{
		routes[cfg.n_routes] = (struct dns_route){ key, up[cfg.n_routes],
			upstreams_of(v, up[cfg.n_routes]) };
		cfg.n_routes++;
	}
	if (exit)
		defaults[cfg.n_defaults++] = (struct dns_upstream){ .transport = DNS_PEER,
			.url = "http://100.64.0.3:1/dns-query" };
	else if (!off && !expired)
		cfg.n_defaults = upstreams_of(json_object_get(c, "Resolvers"), defaults);
	CHECK(dns_configure(w.d, &cfg, w.now) == 0);
	base[0] = upstream_of("10.53.9.1");
	base[1] = upstream_of("10.53.9.2");
	CHECK(dns_set_base(w.d, base, strstr(state, "no-base") ? 0 : 2, w.now) == 0);
}

/* ---- The servers ---- */

static const char *server_at(const struct dns_upstream *u)
{
	for (size_t i = 0; i < ARRAY_LEN(servers); i++) {
		struct ipaddr a;

		CHECK(ipaddr_parse(servers[i].ip, strlen(servers[i].ip), &a) == 0);
		if (ipaddr_eq(a, u->addr.ip))
			return servers[i].name;
	}
	return "";
}

/* Does a recorded message fit what we sent? Over HTTPS it was the provider's other address. */
static bool fits(json_t *rec, const struct dns_upstream *u)
{
	const char *server = json_string_value(json_array_get(rec, 0)),
		   *proto = json_string_value(json_array_get(rec, 1));

	if (u->transport == DNS_HTTPS)
		return !strcmp(proto, "doh") && strchr(server[1] < '8' ? "126" : "89", server[1]) &&
		       (strstr(u->url, "cloudflare") != NULL) == (server[1] < '8');
	return !strcmp(proto, u->transport == DNS_TCP ? "tcp" : "udp") &&
	       !strcmp(server, server_at(u));
}

static void say(
	uint64_t exchange, mono_ns after, const char *hex, uint16_t asked, uint16_t recorded)
{
	struct pending *p = &w.pending[w.n_pending++];

	CHECK(w.n_pending < PENDING_MAX);
	*p = (struct pending){ .exchange = exchange, .at = w.now.mono + after };
	if (!hex)
		return;
	p->len = strlen(hex) / 2;
	p->bytes = malloc(p->len + 2);
	CHECK(p->bytes && hex_decode(hex, strlen(hex), p->bytes) == 0);
	if (p->len >= 2) /* our id, or as far from it as the recorded one was */
		store_be16(p->bytes, load_be16(p->bytes) ^ recorded ^ asked);
}

static mono_ns delay_of(const char *behaviour)
{
	const char *slow = strstr(behaviour, "slow");

	return MSEC(1) + (slow ? MSEC(atoi(slow + 4)) : 0);
}

/* Words that mean something on a connection only. */
static bool breaks(const char *b, const struct dns_upstream *u)
{
	if (u->transport == DNS_UDP)
		return false;
	return !strcmp(b, "close") || !strcmp(b, "rst") || !strcmp(b, "closehalf") ||
	       !strcmp(b, "badlen") || b[0] == 'h';
}

static void on_send(json_t *c, const struct dns_out *o)
{
	json_t *ups = json_object_get(c, "up"), *rec, *replies, *r;
	const char *recorded_q = text_of(c, "q");
	uint8_t id[2] = { 0 };
	size_t i, k;

	if (strlen(recorded_q) >= 4)
		CHECK(hex_decode(recorded_q, 4, id) == 0);
	if (o->to->transport == DNS_PEER) {
		if (text_of(c, "r"))
			say(o->exchange, MSEC(1), text_of(c, "r"), load_be16(o->msg.p),
				load_be16(id));
		return;
	}
	if (o->to->transport == DNS_UDP && !strcmp(server_at(o->to), "")) {
		return; /* nobody is there */
	}
	json_array_foreach(ups, i, rec)
	{
		const char *behaviour = json_string_value(json_array_get(rec, 2));

		if (!fits(rec, o->to))
			continue;
		if (breaks(behaviour, o->to))
			say(o->exchange, MSEC(1), NULL, 0, 0);
		if (breaks(behaviour, o->to) || !strncmp(behaviour, "wrong", 5))
			return; /* the socket is connected: what comes from elsewhere is not seen */
		replies = json_array_get(rec, 3);
		json_array_foreach(replies, k, r) say(o->exchange, delay_of(behaviour) + MSEC(k),
			json_string_value(r), load_be16(o->msg.p), load_be16(id));
		return;
	}
	/* Over TCP a server that was asked over UDP only is there, too. */
	if (o->to->transport == DNS_TCP)
		say(o->exchange, MSEC(1), NULL, 0, 0);
}

/* ---- One question ---- */

static void take(json_t *c)
{
	struct dns_out o;

	while (dns_next(w.d, &o)) {
		if (o.kind == DNS_SEND)
			on_send(c, &o);
		if (o.kind != DNS_ANSWER)
			continue;
		w.answered = true;
		w.answer_len = o.msg.len;
		memcpy(w.answer, o.msg.p, o.msg.len);
	}
}

/* The earliest thing that a server says, if it comes before our next deadline. */
static struct pending *next_said(void)
{
	struct pending *first = NULL;

	for (size_t i = 0; i < w.n_pending; i++)
		if (w.pending[i].at != MONO_NEVER && (!first || w.pending[i].at < first->at))
			first = &w.pending[i];
	return first && first->at <= dns_deadline(w.d) ? first : NULL;
}

static void settle(json_t *c)
{
	take(c);
	for (;;) {
		struct pending *p = next_said();

		if (!p && dns_deadline(w.d) == MONO_NEVER)
			break;
		w.now.mono = MAX_OF(w.now.mono, p ? p->at : dns_deadline(w.d));
		if (p && p->bytes)
			(void)dns_reply(w.d, p->exchange, view_of(p->bytes, p->len), w.now);
		else if (p)
			dns_failed(w.d, p->exchange, -ECONNRESET, w.now);
		else
			dns_tick(w.d, w.now);
		if (p)
			p->at = MONO_NEVER;
		take(c);
	}
	for (size_t i = 0; i < w.n_pending; i++)
		free(w.pending[i].bytes);
	w.n_pending = 0;
}

static void ask(json_t *c)
{
	const char *hex = text_of(c, "q"), *via = text_of(c, "via");
	struct dns_client who = { .id = 1, .stream = !strncmp(via, "tcp", 3) };
	static uint8_t q[1 << 16];

	CHECK(hex_decode(hex, strlen(hex), q) == 0);
	w.answered = false;
	dns_network_changed(w.d, w.now); /* nothing is left of the last one */
	if (dns_ask(w.d, who, view_of(q, strlen(hex) / 2), w.now))
		settle(c);
}

/* ---- Many at once ---- */

enum { FLOOD = 400 };

static struct flood {
	uint64_t exchanges[8 * FLOOD];
	struct dnsmsg_question q[8 * FLOOD];
	uint16_t ids[8 * FLOOD];
	size_t n, answered, refused;
	bool local; /* the known name's answer came */
} flood;

static void flood_take(void)
{
	struct dns_out o;
	struct dnsmsg m;

	while (dns_next(w.d, &o)) {
		CHECK(o.kind == DNS_CANCEL || dnsmsg_read(o.msg, &m) == 0);
		if (o.kind == DNS_SEND) {
			CHECK(flood.n < ARRAY_LEN(flood.ids));
			flood.exchanges[flood.n] = o.exchange;
			flood.ids[flood.n] = m.h.id;
			flood.q[flood.n++] = m.q;
		} else if (o.kind == DNS_ANSWER) {
			flood.local |= o.who.id == FLOOD;
			flood.answered += o.who.id < FLOOD && !(m.h.flags & DNSMSG_RCODE);
			flood.refused += o.who.id < FLOOD && m.h.flags & DNSMSG_RCODE;
		}
	}
}

static void flood_ask(uint64_t id, uint64_t group, const char *name)
{
	struct dnsmsg_question q = { .type = DNSMSG_A, .class = DNSMSG_IN };
	uint8_t buf[512];
	struct wcur c = wcur_over(buf, sizeof(buf));

	CHECK(dnsmsg_name_parse(name, strlen(name), &q.name) == 0);
	dnsmsg_put_header(&c, (uint16_t)id, DNSMSG_RD);
	dnsmsg_put_question(&c, &q);
	CHECK(dns_ask(w.d, (struct dns_client){ .id = id, .group = group },
		view_of(buf, wcur_len(&c)), w.now));
	flood_take();
}

/* Servers answer after 3 s, as in the recording; TCP is not spoken. */
static void flood_answers(void)
{
	mono_ns end = w.now.mono + SEC(3);

	while (dns_deadline(w.d) <= end) {
		w.now.mono = MAX_OF(w.now.mono, dns_deadline(w.d));
		dns_tick(w.d, w.now);
		flood_take();
	}
	w.now.mono = end;
	for (size_t i = 0; i < flood.n; i++) {
		uint8_t buf[512];
		struct wcur c = wcur_over(buf, sizeof(buf));

		dnsmsg_put_header(&c, flood.ids[i], DNSMSG_QR | DNSMSG_RD | DNSMSG_RA);
		dnsmsg_put_question(&c, &flood.q[i]);
		(void)dns_reply(w.d, flood.exchanges[i], view_of(buf, wcur_len(&c)), w.now);
		flood_take();
	}
}

/* 400 questions that servers answer late, then one for a known name: who has an answer? The original loses more, and the known name. */
static bool flood_agrees(json_t *recorded, bool one_port)
{
	char name[64];

	flood = (struct flood){ 0 };
	dns_network_changed(w.d, w.now);
	for (uint64_t i = 0; i < FLOOD; i++) {
		snprintf(name, sizeof(name), "n%d.foo.example", (int)i);
		flood_ask(i, one_port ? FLOOD : i, name);
	}
	flood_ask(FLOOD, one_port ? FLOOD : FLOOD + 1, "peer-2-b.tail.test");
	if (!flood.local)
		return false; /* at once, whatever is slow */
	flood_answers();
	printf("# flood from %s: %zu answered, %zu refused; recorded: %lld answered, the rest without a word\n",
		one_port ? "one port" : "many", flood.answered, flood.refused,
		json_integer_value(json_object_get(recorded, "answered")));
	return flood.answered == (one_port ? DNS_GROUP_WAITERS_MAX : FLOOD) &&
	       flood.answered + flood.refused == FLOOD &&
	       (json_int_t)flood.answered >=
		       json_integer_value(json_object_get(recorded, "answered"));
}

/* ---- Comparing ---- */

static int text_cmp(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Data as text: names in it without compression, the serial of a SOA left out (it is the time). */
static void data_text(struct view msg, const struct dnsmsg_record *r, char *out, size_t max)
{
	size_t pos = r->rdata_at, n = 0;
	char text[DNSMSG_TEXT_MAX];
	struct dnsmsg_name name;
	int names = r->type == DNSMSG_SOA ? 2
		    : r->type == DNSMSG_NS || r->type == DNSMSG_CNAME || r->type == DNSMSG_PTR ||
				    r->type == DNSMSG_MX
			    ? 1
			    : 0;

	if (r->type == DNSMSG_MX)
		pos += 2;
	while (names-- && dnsmsg_name_read(msg, &pos, &name) == 0) {
		dnsmsg_name_lower(&name);
		n += (size_t)snprintf(out + n, max - n, "%s ", dnsmsg_name_format(&name, text));
	}
	if (r->type == DNSMSG_SOA)
		pos += 4;
	for (; pos < r->end && n + 3 < max; pos++)
		n += (size_t)snprintf(out + n, max - n, "%02x", msg.p[pos]);
}

static bool is_about_data(uint16_t flags)
{
	return (flags & DNSMSG_RCODE) == DNSMSG_NOERROR ||
	       (flags & DNSMSG_RCODE) == DNSMSG_NXDOMAIN;
}

/* A message as one text: code, AA, TC, and its records in order of their text. Times to live and OPT are not compared, nor AA of errors. */
static void message_text(struct view msg, bool flags, char *out, size_t max)
{
	static char line[RECORDS * 8][2048];
	char *sorted[RECORDS * 8], name[DNSMSG_TEXT_MAX];
	struct dnsmsg_record r = { 0 };
	struct dnsmsg_header h = { 0 };
	struct dnsmsg m = { .h = { 0 } };
	size_t index = 0, n = 0, at;

	if (dnsmsg_read(msg, &m) < 0 && dnsmsg_header_read(msg, &h) == 0)
		m.h = h;
	at = (size_t)snprintf(out, max, "rcode %d%s%s", m.h.flags & DNSMSG_RCODE,
		flags && m.h.flags & DNSMSG_AA && is_about_data(m.h.flags) ? " AA" : "",
		flags && m.h.flags & DNSMSG_TC ? " TC" : "");
	while (n < ARRAY_LEN(sorted) && dnsmsg_next(msg, &m.h, m.question_end, &index, &r) == 0) {
		size_t k;

		if (r.type == DNSMSG_OPT || m.h.flags & DNSMSG_TC)
			continue; /* what is in a cut message does not matter */
		dnsmsg_name_lower(&r.name);
		k = (size_t)snprintf(line[n], sizeof(line[n]), "; %d %s %u ", r.section,
			dnsmsg_name_format(&r.name, name), r.type);
		data_text(msg, &r, line[n] + k, sizeof(line[n]) - k);
		sorted[n] = line[n];
		n++;
	}
	qsort(sorted, n, sizeof(*sorted), text_cmp);
	for (size_t i = 0; i < n; i++)
		at += (size_t)snprintf(out + at, at < max ? max - at : 0, "%s", sorted[i]);
}

static void hex_text(const char *hex, bool flags, char *out, size_t max)
{
	static uint8_t b[1 << 17];

	CHECK(strlen(hex) / 2 <= sizeof(b) && hex_decode(hex, strlen(hex), b) == 0);
	message_text(view_of(b, strlen(hex) / 2), flags, out, max);
}

/* Which of two servers won is chance: their answers count as the same. */
static bool is_other_server(json_t *c, const char *ours)
{
	static char theirs[TEXT_MAX];
	json_t *rec, *r;
	size_t i, k;

	json_array_foreach(json_object_get(c, "up"), i, rec)
		json_array_foreach(json_array_get(rec, 3), k, r)
	{
		hex_text(json_string_value(r), true, theirs, sizeof(theirs));
		if (!strcmp(ours, theirs))
			return true;
	}
	return false;
}

static bool agrees(json_t *c, char *ours, char *theirs)
{
	const char *recorded = text_of(c, "r");
	uint8_t id[2];

	snprintf(theirs, TEXT_MAX, "no reply");
	snprintf(ours, TEXT_MAX, "no reply");
	if (recorded)
		hex_text(recorded, true, theirs, TEXT_MAX);
	if (w.answered)
		message_text(view_of(w.answer, w.answer_len), true, ours, TEXT_MAX);
	if (w.answered && w.answer_len >= 2 && strlen(text_of(c, "q")) >= 24) {
		CHECK(hex_decode(text_of(c, "q"), 4, id) == 0);
		if (memcmp(id, w.answer, 2) != 0)
			return false;
	}
	if (!strcmp(ours, theirs))
		return true;
	/* The original's answer came from one of several. */
	return w.answered && recorded && strstr(ours, "rcode 0") == ours &&
	       is_other_server(c, ours);
}

/* ---- All of them ---- */

static char *read_file(const char *folder, const char *name, size_t *len)
{
	char path[1024];
	FILE *f;
	char *b = malloc(64 << 20);

	snprintf(path, sizeof(path), "%s%s%s", folder, *folder ? "/" : "", name);
	f = fopen(path, "rb");
	CHECK(f && b);
	*len = fread(b, 1, (64 << 20) - 1, f);
	b[*len] = 0;
	fclose(f);
	return b;
}

/* What is listed as different. */
struct differs {
	struct listed {
		const char *id;
		bool used;
	} * v;
	size_t n, cap;
};

/* "## REASON", then lines of "STATE/ID STATE/ID ...". */
static void read_differs(struct differs *f, char *text)
{
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		if (*line == '#')
			continue;
		for (char *p = line; *(p += strspn(p, " "));) {
			size_t n = strcspn(p, " ");

			CHECK(f->n < f->cap ||
				vec_grow(&f->v, &f->cap, sizeof(*f->v), 1 << 16) == 0);
			f->v[f->n++] = (struct listed){ .id = p };
			p += n;
			if (*p)
				*p++ = 0;
		}
	}
}

static bool is_listed(struct differs *f, const char *state, const char *id)
{
	char key[128];

	snprintf(key, sizeof(key), "%s/%s", state, id);
	for (size_t i = 0; i < f->n; i++)
		if (!strcmp(f->v[i].id, key))
			return f->v[i].used = true;
	return false;
}

static json_t *context_of(json_t *all, const char *state)
{
	json_t *c;
	size_t i;

	json_array_foreach(all, i, c) if (!strcmp(text_of(c, "state"), state)) return c;
	return context_of(all, "1-full"); /* the settings of which another thing was recorded */
}

struct tally {
	size_t n, agree, excused, wrong, needless;
};

static void check_case(json_t *c, struct differs *f, bool list, struct tally *t)
{
	static char ours[TEXT_MAX], theirs[TEXT_MAX];
	const char *state = text_of(c, "state"), *id = text_of(c, "id");
	bool listed;

	ask(c);
	t->n++;
	if (agrees(c, ours, theirs)) {
		t->agree++;
		return;
	}
	listed = is_listed(f, state, id);
	t->excused += listed;
	t->wrong += !listed;
	if (!listed || list)
		printf("# %s/%s %s %s\n#   ours   %.600s\n#   theirs %.600s\n", state, id,
			text_of(c, "via"), text_of(c, "q"), ours, theirs);
}

static char *read_cases(const char *folder)
{
	size_t len, max = 64 << 20, n;
	char *packed = read_file(folder, "cases.jsonl.zst", &len), *b = malloc(max);

	CHECK(b);
	n = ZSTD_decompress(b, max - 1, packed, len);
	CHECK(!ZSTD_isError(n));
	b[n] = 0;
	free(packed);
	return b;
}

static void run(char *cases, json_t *contexts, struct differs *f, bool list, struct tally *t)
{
	char *state = NULL;

	for (char *p = cases, *end; (end = strchr(p, '\n')); p = end + 1) {
		json_t *c = json_loadb(p, (size_t)(end - p), 0, NULL);

		CHECK(c);
		/* Down, nobody is there to answer: tests/lab/names resolver. */
		if (strcmp(text_of(c, "state"), "19-down") != 0) {
			if (!state || strcmp(state, text_of(c, "state")) != 0) {
				free(state);
				state = strdup(text_of(c, "state"));
				CHECK(state);
				configure(state, context_of(contexts, state));
			}
			check_case(c, f, list, t);
		}
		json_decref(c);
	}
	free(state);
}

int main(int argc, char **argv)
{
	struct differs f = { 0 };
	struct tally t = { 0 };
	json_t *contexts, *floods;
	char *cases, *differs, *flood_text;
	size_t len;
	bool floods_agree;

	CHECK(argc >= 3);
	w.now = (struct now){ .mono = SEC(1000), .wall = 1700000000000 };
	rng_seeded_init(&w.rng, 1);
	CHECK(dns_new(&w.d, &w.rng.rng) == 0 && dns_names_new(&w.names, &w.rng.rng) == 0);
	contexts = json_loads(cases = read_file(argv[1], "contexts.json", &len), 0, NULL);
	CHECK(contexts);
	free(cases);
	cases = read_cases(argv[1]);
	differs = read_file("", argv[2], &len);
	read_differs(&f, differs);
	run(cases, contexts, &f, argc > 3, &t);
	floods = json_loads(flood_text = read_file(argv[1], "flood.json", &len), 0, NULL);
	CHECK(json_array_size(floods) >= 2);
	configure("1-full", context_of(contexts, "1-full"));
	floods_agree = flood_agrees(json_array_get(floods, 0), true) &&
		       flood_agrees(json_array_get(floods, 1), false);
	for (size_t i = 0; i < f.n; i++)
		if (!f.v[i].used) {
			t.needless++;
			printf("# listed, but agrees: %s\n", f.v[i].id);
		}
	printf("1..3\n%sok 1 - %zu of %zu recordings agree, %zu differ for a reason, %zu without\n",
		t.wrong ? "not " : "", t.agree, t.n, t.excused, t.wrong);
	printf("%sok 2 - what is listed differs\n", t.needless ? "not " : "");
	printf("%sok 3 - of many at once none is lost, and none holds up a known name\n",
		floods_agree ? "" : "not ");
	dns_free(w.d);
	dns_names_free(w.names);
	json_decref(contexts);
	json_decref(floods);
	free(flood_text);
	free(cases);
	free(differs);
	free(f.v);
	return t.wrong || t.needless || !floods_agree;
}
