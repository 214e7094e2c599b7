/* dns query: one question to the resolver of this device, and its answer. */
#include "cli/common/common.h"
#include "cli/show/query.h"
#include "base/text/text.h"
#include "proto/dnsmsg/dnsmsg.h"

#include <ctype.h>

struct answer {
	const char *name, *class, *type, *body;
	int64_t ttl;
};
static const struct json_field answer_fields[] = {
	JSON_F(struct answer, name, "Name", json_str, 0),
	JSON_F(struct answer, ttl, "TTL", json_int, 0),
	JSON_F(struct answer, class, "Class", json_str, 0),
	JSON_F(struct answer, type, "Type", json_str, 0),
	JSON_F(struct answer, body, "Body", json_str, 0),
	JSON_END,
};
static JSON_OBJECT_TYPE(answer_type, struct answer, answer_fields);
static JSON_LIST_TYPE(answer_list, answer_type);

static JSON_LIST_TYPE(resolver_list, tc_resolver_type);

struct result {
	const char *name, *type, *code;
	struct json_list resolvers; /* struct tc_resolver */
	struct json_list answers;
};
static const struct json_field result_fields[] = {
	JSON_F(struct result, name, "Name", json_str, 0),
	JSON_F(struct result, type, "QueryType", json_str, 0),
	JSON_F(struct result, resolvers, "Resolvers", resolver_list, JSON_OMIT),
	JSON_F(struct result, code, "ResponseCode", json_str, 0),
	JSON_F(struct result, answers, "Answers", answer_list, JSON_OMIT),
	JSON_END,
};
static JSON_OBJECT_TYPE(result_type, struct result, result_fields);

/* ---- Words ---- */

static const char *code_text(struct arena *a, unsigned code)
{
	static const char *const names[] = { "RCodeSuccess", "RCodeFormatError",
		"RCodeServerFailure", "RCodeNameError", "RCodeNotImplemented", "RCodeRefused" };

	return code < ARRAY_LEN(names) ? names[code] : arena_printf(a, "%u", code);
}

static const char *type_text(struct arena *a, uint16_t type)
{
	static const struct {
		uint16_t type;
		const char *name;
	} names[] = {
		{ DNSMSG_A, "TypeA" },
		{ DNSMSG_NS, "TypeNS" },
		{ DNSMSG_CNAME, "TypeCNAME" },
		{ DNSMSG_SOA, "TypeSOA" },
		{ DNSMSG_PTR, "TypePTR" },
		{ DNSMSG_HINFO, "TypeHINFO" },
		{ DNSMSG_MX, "TypeMX" },
		{ DNSMSG_TXT, "TypeTXT" },
		{ DNSMSG_AAAA, "TypeAAAA" },
		{ DNSMSG_SRV, "TypeSRV" },
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (names[i].type == type)
			return names[i].name;
	return arena_printf(a, "%u", type);
}

static const char *class_text(struct arena *a, uint16_t class)
{
	return class == DNSMSG_IN ? "ClassINET" : arena_printf(a, "%u", class);
}

/* ---- The data of a record, as the original words it ---- */

static const char *name_text(struct arena *a, struct view msg, size_t *at)
{
	struct dnsmsg_name n;
	char *text = arena_alloc(a, DNSMSG_TEXT_MAX);

	if (!text || dnsmsg_name_read(msg, at, &n) < 0)
		return "(damaged)";
	return dnsmsg_name_format(&n, text);
}

/* Of one text, quoted; what is no plain letter as \ooo. */
static const char *quoted(struct arena *a, struct view v)
{
	char *out = arena_alloc(a, 4 * v.len + 3), *w = out;

	if (!out)
		return "";
	*w++ = '"';
	for (size_t i = 0; i < v.len; i++) {
		if (v.p[i] == '"' || v.p[i] == '\\')
			*w++ = '\\';
		if (v.p[i] >= ' ' && v.p[i] <= '~')
			*w++ = (char)v.p[i];
		else
			w += sprintf(w, "\\x%02x", v.p[i]);
	}
	*w++ = '"';
	*w = '\0';
	return out;
}

static const char *texts(struct arena *a, struct view data)
{
	struct cur c = cur_over(data.p, data.len);
	const char *out = "";

	while (out && cur_left(&c)) {
		struct view v = cur_view(&c, cur_u8(&c));

		if (!c.bad)
			out = arena_printf(a, "%s%s%s", out, *out ? " " : "", quoted(a, v));
	}
	return arena_printf(a, "[%s]", out ? out : "");
}

static const char *soa_text(struct arena *a, struct view msg, size_t at)
{
	const char *ns = name_text(a, msg, &at), *mbox = name_text(a, msg, &at);
	struct cur c = cur_over(msg.p + at, msg.len - at);
	uint32_t v[5];

	for (size_t i = 0; i < ARRAY_LEN(v); i++)
		v[i] = cur_be32(&c);
	return arena_printf(a,
		"NS=%s, MBox=%s, Serial=%u, Refresh=%u, Retry=%u, Expire=%u, MinTTL=%u", ns, mbox,
		v[0], v[1], v[2], v[3], v[4]);
}

static const char *hex_text(struct arena *a, struct view data)
{
	char *out = arena_alloc(a, 2 * data.len + 1);

	if (!out)
		return "";
	hex_encode(data.p, data.len, out);
	return out;
}

static const char *body_text(struct arena *a, struct view msg, const struct dnsmsg_record *r)
{
	struct view data = view_of(msg.p + r->rdata_at, r->rdata_len);
	size_t at = r->rdata_at;
	char ip[IPADDR_TEXT_MAX];
	struct cur c = cur_over(data.p, data.len);

	if (r->type == DNSMSG_A && data.len == 4)
		return arena_strdup(a, ipaddr_format(ipaddr_from4(data.p), ip));
	if (r->type == DNSMSG_AAAA && data.len == 16)
		return arena_strdup(a, ipaddr_format(ipaddr_from16(data.p), ip));
	if (r->type == DNSMSG_NS || r->type == DNSMSG_CNAME || r->type == DNSMSG_PTR)
		return name_text(a, msg, &at);
	if (r->type == DNSMSG_TXT)
		return texts(a, data);
	if (r->type == DNSMSG_SOA)
		return soa_text(a, msg, at);
	if (r->type == DNSMSG_MX && data.len > 2) {
		at += 2;
		return arena_printf(
			a, "%s (Priority=%u)", name_text(a, msg, &at), load_be16(data.p));
	}
	if (r->type == DNSMSG_SRV && data.len > 6) {
		unsigned priority = cur_be16(&c), weight = cur_be16(&c), port = cur_be16(&c);

		at += 6;
		return arena_printf(a, "Target=%s, Port=%u, Priority=%u, Weight=%u",
			name_text(a, msg, &at), port, priority, weight);
	}
	return hex_text(a, data);
}

/* ---- The answer ---- */

static int read_answers(struct arena *a, struct view msg, struct result *ret)
{
	struct dnsmsg_record r = { 0 };
	struct dnsmsg_header h;
	struct dnsmsg m;
	size_t index = 0;
	int rc = dnsmsg_header_read(msg, &h);

	if (rc < 0)
		return rc;
	ret->code = code_text(a, h.flags & DNSMSG_RCODE);
	rc = dnsmsg_read(msg, &m);
	ret->answers.present = rc == 0 && !(h.flags & DNSMSG_RCODE);
	while (rc == 0 && (rc = dnsmsg_next(msg, &h, m.question_end, &index, &r)) == 0) {
		char *name = arena_alloc(a, DNSMSG_TEXT_MAX);
		struct answer *x = r.section == DNSMSG_ANSWER
					   ? json_list_add(&ret->answers, a, sizeof(*x))
					   : NULL;

		if (x && name)
			*x = (struct answer){ .name = dnsmsg_name_format(&r.name, name),
				.ttl = r.ttl,
				.class = class_text(a, r.class),
				.type = type_text(a, r.type),
				.body = body_text(a, msg, &r) };
	}
	return rc < 0 ? rc : 0;
}

static void print_asked(const struct result *r)
{
	printf("DNS query for \"%s\" (%s) using internal resolver:\n\n", r->name, r->type);
	if (r->resolvers.n == 0)
		printf("Answered on this device.\n");
	else if (r->resolvers.n == 1)
		printf("Forwarding to resolver: %s\n",
			cli_text_or(JSON_AT(r->resolvers, struct tc_resolver, 0)->addr, ""));
	else
		printf("Multiple resolvers available:\n");
	for (size_t i = 0; r->resolvers.n > 1 && i < r->resolvers.n; i++)
		printf("  - %s\n",
			cli_text_or(JSON_AT(r->resolvers, struct tc_resolver, i)->addr, ""));
	printf("\nResponse code: %s\n\n", r->code);
}

static void print_result(struct cli *c, const struct result *r)
{
	struct table t;

	print_asked(r);
	if (!r->answers.present) {
		printf("No answers were returned.\n");
		return;
	}
	if (!r->answers.n)
		printf("  (no answers found)\n");
	table_init_tabs(&t, &c->arena, 5, 0, 2, false);
	TABLE_ROW(&t, "Name", "TTL", "Class", "Type", "Body");
	TABLE_ROW(&t, "----", "---", "-----", "----", "----");
	for (size_t i = 0; i < r->answers.n; i++) {
		const struct answer *x = JSON_AT(r->answers, struct answer, i);

		TABLE_ROW(&t, x->name, arena_printf(&c->arena, "%lld", (long long)x->ttl), x->class,
			x->type, x->body);
	}
	table_print(&t, stdout, 0);
	printf("\n");
}

static int print_json(const struct result *r)
{
	struct buf compact, text;
	int rc;

	buf_init(&compact, LCLIENT_ANSWER_MAX);
	buf_init(&text, LCLIENT_ANSWER_MAX);
	rc = json_encode(&result_type, r, &compact);
	if (rc == 0)
		rc = json_indent(buf_view(&compact), "", "  ", &text);
	if (rc == 0)
		printf("%s\n", buf_cstr(&text));
	buf_fini(&text);
	buf_fini(&compact);
	return rc < 0;
}

static const char *upper(struct arena *a, const char *s)
{
	char *out = arena_strdup(a, s);

	for (char *p = out; p && *p; p++)
		*p = (char)toupper((unsigned char)*p);
	return out ? out : s;
}

int cli_dns_query(struct cli *c, struct flag *flags, int argc, char **argv)
{
	struct ipn_dns_answer answer;
	struct lclient_err err;
	struct result r = { 0 };
	const char *path;
	int rc;

	if (argc < 1)
		return cli_fail(c, "missing required argument: name");
	if (argc > 2)
		return cli_fail(c, "unexpected extra arguments: %s", argv[2]);
	r.name = argv[0];
	r.type = argc > 1 ? upper(&c->arena, argv[1]) : "A";
	path = arena_printf(&c->arena, "dns-query?name=%s&type=%s", cli_escape(c, r.name),
		cli_escape(c, r.type));
	rc = lclient_get(&c->api, path, &ipn_dns_answer_type, &answer, &c->arena, &err);
	if (rc < 0)
		return cli_fail_api(c, "failed to query DNS: ", rc, &err);
	r.resolvers = answer.resolvers;
	if (read_answers(&c->arena, answer.bytes, &r) < 0)
		return cli_fail(c, "failed to query DNS: the answer is damaged");
	if (flag_on(flags, "json"))
		return print_json(&r);
	print_result(c, &r);
	return 0;
}
