/*
 * Whatever comes over a connection, in whatever pieces, while answers are given later, held, streamed and not taken: the server
 * answers or hangs up, and nothing is left over. The input is steps of (kind, length, bytes).
 */
#include "http/server/server.h"
#include "tests/http/fake_stream.h"
#include "tests/http/table.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void step(struct httpd *h, struct stream *s, unsigned kind, struct view v)
{
	switch (kind & 7) {
	case 0:
	case 1:
	case 2:
		(void)fake_send(s, v.p, v.len, kind & 8 ? SIZE_MAX : v.len);
		break;
	case 3:
		(void)fake_take(s, 16u << (kind >> 4));
		break;
	case 4:
		table_answer("late\n");
		break;
	case 5:
		table_sink_is_full = kind & 16;
		table_finish_stream();
		break;
	case 6:
		table_ticket = kind & 16 ? table_ticket + 1 : 0;
		httpd_release(h, kind & 8 ? table_ticket : 0);
		break;
	case 7:
		if (kind & 8)
			httpd_release_instead(h);
		else
			fake_hang_up(s);
		break;
	}
	if (!s->ops)
		fake_connect(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct router *const tables[] = { &table };
	static struct loop *loop;
	static struct stream s;
	struct httpd_cfg cfg = {
		.conns_max = 2, .answer_max = 64 * 1024, .tables = tables, .n_tables = 1
	};
	struct httpd *h;

	if (!loop && loop_new(&loop) < 0)
		abort();
	cfg.loop = loop;
	if (httpd_new(&h, &cfg) < 0 || httpd_listen_unix(h, "", 0) < 0)
		abort();
	table_ticket = 0;
	table_sink_is_full = false;
	fake_connect(&s);
	while (len >= 2) {
		size_t n = data[1] < len - 2 ? data[1] : len - 2;

		step(h, &s, data[0], view_of(data + 2, n));
		data += 2 + n;
		len -= 2 + n;
	}
	fake_hang_up(&s);
	if (httpd_conns(h) || table_late)
		abort();
	httpd_free(h);
	return 0;
}
