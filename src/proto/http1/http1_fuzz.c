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
	return 0;
}
