#include "proto/dnsmsg/dnsmsg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* A name that was read is the same after text and back. */
static void check_name(const struct dnsmsg_name *n)
{
	char text[DNSMSG_TEXT_MAX];
	struct dnsmsg_name again;

	CHECK(n->len >= 1 && n->b[n->len - 1] == 0);
	dnsmsg_name_format(n, text);
	CHECK(strlen(text) < sizeof(text));
	CHECK(dnsmsg_name_parse(text, strlen(text), &again) == 0);
	CHECK(again.len == n->len && !memcmp(again.b, n->b, n->len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct view v = view_of(data, len);
	struct dnsmsg_record r = { 0 };
	struct dnsmsg_name n;
	struct dnsmsg m;
	size_t index = 0, records = 0;

	if (dnsmsg_name_parse((const char *)data, len, &n) == 0)
		check_name(&n);
	if (dnsmsg_read(v, &m) < 0)
		return 0;
	CHECK(m.end <= len && m.question_end <= m.end);
	if (m.h.n[DNSMSG_QUESTION])
		check_name(&m.q.name);
	while (dnsmsg_next(v, &m.h, m.question_end, &index, &r) == 0) {
		check_name(&r.name);
		CHECK(r.end <= m.end && r.rdata_at + r.rdata_len == r.end);
		records++;
	}
	CHECK(records == (size_t)m.h.n[1] + m.h.n[2] + m.h.n[3]);
	return 0;
}
