#include "proto/hujson/extra.h"
#include "proto/hujson/hujson.h"

/* Comments become blanks of the same length, line breaks in them stay. */
static void blank(uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!extra_is_blank(p[i]))
			p[i] = ' ';
}

static void standardize(uint8_t *p, size_t len)
{
	size_t comma = len; /* the last one without a value behind it yet */

	for (size_t i = 0; i < len;) {
		struct view rest = view_of(p + i, len - i);
		size_t n = 1;

		if (extra_comment_begins(rest)) {
			n = extra_comment_len(rest);
			blank(p + i, n);
		} else if (p[i] == '"') {
			while (p[i + n] != '"')
				n += p[i + n] == '\\' ? 2 : 1;
			n++;
			comma = len;
		} else if (p[i] == ',') {
			comma = i;
		} else if (!extra_is_blank(p[i])) {
			if ((p[i] == '}' || p[i] == ']') && comma < len)
				p[comma] = ' ';
			comma = len;
		}
		i += n;
	}
}

int hujson_standardize(const void *in, size_t len, struct buf *out, struct err_at *at)
{
	struct hujson *root;
	struct arena mem;
	uint8_t *p;
	int rc;

	arena_init(&mem, 256 << 20);
	rc = hujson_parse(in, len, &mem, &root, at);
	arena_fini(&mem);
	if (rc == 0)
		rc = buf_reserve(out, len, &p);
	if (rc < 0)
		return rc;
	memcpy(p, in, len);
	standardize(p, len);
	buf_commit(out, len);
	return 0;
}
