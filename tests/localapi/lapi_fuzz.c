/*
 * Whatever comes over the socket, from whomever: the server answers or hangs up, and goes on. The last byte of the
 * input says who asks and in how many pieces the rest arrives.
 */
#include "tests/localapi/fake.h"
#include "os/loop/loop.h"
#include "tests/http/fake_stream.h"

#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct stream s;
	size_t piece = len ? (size_t)(data[len - 1] >> 1) + 1 : 1;
	struct loop *loop;
	struct lapi *api;
	struct fake *f;

	if (!len)
		return 0;
	CHECK(loop_new(&loop) == 0 && fake_new(&f, loop) == 0);
	CHECK(fake_serve(f, loop, "0", &api) == 0);
	CHECK(lapi_listen(api, "fuzz") == 0);
	s.uid = (data[len - 1] & 1) ? 65534 : 0;
	fake_connect(&s);
	for (size_t i = 0; i < len - 1; i += piece) {
		if (!fake_send(&s, data + i, MIN_OF(piece, len - 1 - i), SIZE_MAX))
			break;
		fake_turn_end(f);
	}
	fake_take(&s, SIZE_MAX);
	fake_hang_up(&s);
	CHECK(lapi_counters(api)->n_connections == 0 && fake_n_waiting(f) == 0);
	lapi_free(api);
	fake_free(f);
	loop_free(loop);
	return 0;
}
