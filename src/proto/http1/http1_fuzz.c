#include "proto/http1/http1.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Every step uses something or asks for more, and content is what was used. */
static void chunks(const uint8_t *data, size_t len)
{
	struct http1_chunks c = { 0 };
	struct view v;
	size_t used;
	int rc;

	do {
		rc = http1_chunks_next(&c, data, len, &v, &used);
		if (rc < 0)
			return;
		CHECK(used <= len && v.len <= used && (rc != 0 || used > 0));
		data += used;
		len -= used;
	} while (rc == 0);
}

/* An answer of ours is read as it was written. */
static void answered(const uint8_t *data, size_t len)
{
	static const int statuses[] = { 200, 204, 400, 404, 413, 429, 500, 503 };
	struct http1_head h;
	struct buf out;
	size_t used;
	bool keep, head_only, has_body;
	int status;

	if (!len)
		return;
	status = statuses[data[0] % ARRAY_LEN(statuses)];
	keep = data[0] & 64;
	head_only = data[0] & 128;
	has_body = status != 204 && !head_only;
	buf_init(&out, HTTP1_HEAD_MAX + len);
	CHECK(http1_respond(&out, status, data[0] & 32 ? "text/plain" : NULL, "X-A: b\r\n",
		      view_of(data, len), head_only, keep) == 0);
	CHECK(http1_parse(buf_data(&out), buf_len(&out), true, &h, &used) == 0);
	CHECK(h.status == status && h.keep_alive == keep &&
		h.has_content_length == (status != 204));
	CHECK(!h.has_content_length || h.content_length == len);
	CHECK(buf_len(&out) - used == (has_body ? len : 0) &&
		(!has_body || memcmp(buf_data(&out) + used, data, len) == 0));
	buf_fini(&out);
}

/* What is accepted whole is not accepted in any shorter piece, and reading is the same again. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct http1_head h;
	size_t used;

	for (int response = 0; response < 2; response++) {
		if (http1_parse(data, len, response, &h, &used) != 0)
			continue;
		CHECK(used <= len && h.n_headers <= HTTP1_HEADERS_MAX);
		CHECK(http1_parse(data, used - 1, response, &h, &used) != 0);
	}
	chunks(data, len);
	answered(data, len);
	return 0;
}
