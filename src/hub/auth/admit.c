/*
 * Whom the relay is for: devices of this hub, unless --relay-open. A device is known from the moment its registration is answered, and
 * it looks for a relay only afterwards, so it is never too early. Other relays may ask the same here.
 */
#include "hub/auth/auth.h"
#include "os/log/log.h"
#include "proto/derpframe/admit.h"

static bool is_member(const struct hub *h, const struct node_pub *key)
{
	return coord_is_member(h->tailnet, key, loop_now(h->loop).wall);
}

static enum derprelay_verdict admit(
	void *ctx, void *client, const struct node_pub *key, bool proven)
{
	struct hub *h = ctx;
	char from[IPPORT_TEXT_MAX], name[KEY_TEXT_MAX];

	if (is_member(h, key))
		return DERPRELAY_YES;
	log_warn_limited("relay",
		"a client is turned away: it is no device of this hub, or not any more (--relay-open lets others in)",
		"from=%s key=%s", ipport_format(relay_client_addr(client), from),
		key_format(KEY_NODE, key->b, name));
	return DERPRELAY_NO;
}

struct relay_admission admit_relay(struct hub *h)
{
	return (struct relay_admission){ .admit = h->o->relay_open ? NULL : admit, .ctx = h };
}

void admit_key_out(void *hub, const struct node_pub *key)
{
	struct hub *h = hub;

	if (h->relay)
		relay_recheck(h->relay, key);
}

static int decode(struct view body, struct derp_admit_request *ret)
{
	struct arena a;
	int rc;

	arena_init(&a, 4 * DERP_ADMIT_MAX);
	rc = body.len > DERP_ADMIT_MAX
		     ? -ERR_TOO_BIG
		     : json_decode(&derp_admit_request_type, body.p, body.len, ret, &a, NULL);
	arena_fini(&a);
	return rc;
}

int admit_on_verify(struct http_request *q)
{
	struct hub *h = hub_of(q);
	struct derp_admit_request question;
	struct ipaddr from = q->who.from.ip;
	struct derp_admit_response answer;
	struct buf b;
	int rc;

	if (!ratelimit_allow(&h->verifiers, ipaddr_place(&from), loop_now(h->loop).mono)) {
		h->n.verify_throttled++;
		return http_reply_refuse(q->reply, 429, "text/plain; charset=utf-8",
			"Retry-After: 1\r\n", VIEW_LIT("too many questions\n"));
	}
	if (decode(q->body, &question) < 0)
		return http_reply_refuse_text(q->reply, 400,
			"this is no {\"NodePublic\": \"nodekey:...\", \"Source\": \"ADDRESS\"}\n");
	answer.allow = is_member(h, &question.key);
	h->n.verify_requests++;
	h->n.verify_refused += !answer.allow;
	buf_init(&b, DERP_ADMIT_MAX);
	rc = json_encode(&derp_admit_response_type, &answer, &b);
	if (rc == 0)
		rc = http_reply_send(q->reply, 200, "application/json",
			"X-Content-Type-Options: nosniff\r\n", buf_view(&b));
	buf_fini(&b);
	return rc;
}
