#include "proto/http1/http1.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

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
	return 0;
}
