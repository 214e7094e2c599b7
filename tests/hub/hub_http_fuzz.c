/*
 * Whatever comes over a connection to the hub's public port or its socket for administration, from whomever, in whatever pieces, while
 * the store is slow: the hub answers or hangs up, and nothing is left over. The tables, the sessions behind an upgrade and the engine are
 * the hub's own.
 *
 * The input is steps of (kind, length, bytes). Of the bytes, 1 to 6 stand for what only a client that was let in has: an API token, the
 * cookie of an admin's browser session and its form's word, a link to log in, the code of a device that waits, a device's key.
 */
#include "hub/auth/auth.h"
#include "hub/auth/tokens.h"
#include "tests/http/fake_stream.h"
#include "tests/hub/memory_hub.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* A hub is so much code that libFuzzer's book of rare branches would take most of the time. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static char *args[64], entropic[] = "-entropic=0";
	int n = *argc < 62 ? *argc : 62;

	memcpy(args, *argv, (size_t)n * sizeof(*args));
	args[n] = entropic;
	*argc = n + 1;
	*argv = args;
	return 0;
}

enum { SECRETS = 6, SECRET_MAX = 160 };
static char secret[SECRETS][SECRET_MAX];

/* Of a device that asks without a connection: the meson.build puts this before the hub's own. */
struct ipport __real_control_from(void *owner);
struct ipport __wrap_control_from(void *owner);

struct ipport __wrap_control_from(void *owner)
{
	return owner ? __real_control_from(owner) : (struct ipport){ ipaddr_v4(192, 0, 2, 9), 1 };
}

static void ask_to_join(struct hub *h, uint8_t number, const char *auth_key)
{
	const struct machine_pub machine = { { number } };
	const struct node_pub key = { { number } };
	char text[KEY_TEXT_MAX], body[512];
	int n = snprintf(body, sizeof(body),
		"{\"Version\":113,\"NodeKey\":\"%s\",\"Auth\":{\"AuthKey\":\"%s\"},"
		"\"Hostinfo\":{\"Hostname\":\"box\",\"OS\":\"linux\",\"RoutableIPs\":[\"10.0.0.0/8\"]}}",
		key_format(KEY_NODE, key.b, text), auth_key);

	coord_register(h->tailnet, &machine, view_of(body, (size_t)n), NULL, loop_now(h->loop));
	coord_register_cancel(h->tailnet, NULL); /* nobody waits for the answer */
	memory_hub_turn(h);
}

static void fill(struct hub *h)
{
	struct coord_key_spec spec = { .reusable = true, .preapproved = true };
	struct now now = loop_now(h->loop);
	struct coord_pending_view waits;
	const struct coord_key *key;
	const struct token *token;
	char auth_key[COORD_SECRET_TEXT_MAX], link[HUB_TOKEN_TEXT], next[256];
	struct hub_login *login;

	spec.user = coord_user_next(h->tailnet, NULL)->id;
	CHECK(coord_key_create(h->tailnet, &spec, now, auth_key, &key) == 0);
	CHECK(token_create(h, "fuzz", NULL, 0, secret[0], &token) == 0);
	login_link_create(h, 0, "/admin", link);
	login = login_begin(h, view_of(link, strlen(link)), secret[1], next);
	CHECK(login);
	snprintf(secret[2], SECRET_MAX, "%s", login->csrf);
	login_link_create(h, 0, "/admin", secret[3]);
	ask_to_join(h, 1, auth_key);
	ask_to_join(h, 2, "");
	CHECK(coord_pending_next(h->tailnet, NULL, &waits));
	snprintf(secret[4], SECRET_MAX, "%s", waits.code);
	key_format(KEY_NODE, (const uint8_t[KEY_LEN]){ 1 }, secret[5]);
}

static void send_bytes(struct stream *s, struct view v)
{
	uint8_t out[256 * SECRET_MAX];
	size_t n = 0;

	for (size_t i = 0; i < v.len; i++) {
		const char *word = v.p[i] >= 1 && v.p[i] <= SECRETS ? secret[v.p[i] - 1] : NULL;
		size_t k = word ? strlen(word) : 1;

		memcpy(out + n, word ? (const void *)word : &v.p[i], k);
		n += k;
	}
	(void)fake_send(s, out, n, SIZE_MAX);
}

static void connect_anew(struct stream *s, unsigned kind)
{
	fake_hang_up(s);
	s->uid = kind & 16 ? 65534 : 0;
	fake_connect_over(s, kind & 8);
}

static void step(struct hub *h, struct stream *s, unsigned kind, struct view v)
{
	switch (kind & 7) {
	case 0:
	case 1:
	case 2:
		send_bytes(s, v);
		break;
	case 3:
		(void)fake_take(s, 16u << (kind >> 4));
		break;
	case 4:
		memory_hub_turn(h);
		break;
	case 5:
		memory_hub_hold(h, kind & 8);
		break;
	case 6:
		memory_hub_write(h);
		break;
	case 7:
		connect_anew(s, kind);
		break;
	}
	if (!s->ops)
		connect_anew(s, kind);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct stream s;
	struct hub *h = memory_hub_new();

	fill(h);
	s.ops = NULL;
	connect_anew(&s, len ? data[0] : 0);
	while (len >= 2) {
		size_t n = MIN_OF((size_t)data[1], len - 2);

		step(h, &s, data[0], view_of(data + 2, n));
		data += 2 + n;
		len -= 2 + n;
	}
	memory_hub_turn(h);
	fake_hang_up(&s);
	memory_hub_hold(h, false);
	memory_hub_write(h);
	memory_hub_turn(h);
	CHECK(!h->failed && !httpd_conns(h->web) && !httpd_conns(h->admin) && !h->n_sessions);
	memory_hub_free(h);
	return 0;
}
