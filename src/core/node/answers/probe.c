/*
 * The hub's questions: do you live (HEAD of a URL), can you reach that node (pings), and
 * requests to this device ("c2n"), of which those are answered that need nothing but the agent.
 *
 * Answers go to the hub and nowhere else, whatever the URL says: over Noise, or, for a HEAD of the hub's own plain URL, over
 * a stream of its own. The same URL twice is one question.
 */
#include "core/node/answers/answers.h"

#include "base/text/text.h"
#include "proto/http1/http1.h"
#include "proto/names/url.h"

static void probe_free(struct node_probe *p)
{
	free(p->url);
	free(p->types);
	free(p->payload);
	*p = (struct node_probe){ 0 };
}

static char *text_copy(const char *s)
{
	return strdup(s ? s : "");
}

static bool probe_fill(struct node *a, struct node_probe *p, const struct tc_ping_request *r)
{
	uint8_t *payload = malloc(r->payload.len + 1);

	*p = (struct node_probe){ .a = a,
		.used = true,
		.noise = r->url_is_noise,
		.url = text_copy(r->url),
		.types = text_copy(r->types),
		.ip = r->ip,
		.payload = payload,
		.payload_len = r->payload.len };
	if (!p->url || !p->types || !payload) {
		probe_free(p);
		return false;
	}
	if (r->payload.len)
		memcpy(payload, r->payload.p, r->payload.len);
	return true;
}

/* Of the hub's own: a URL, or its path alone. It goes into a request. */
static bool may_ask(const char *url)
{
	char whole[URL_MAX + 1];

	if (!url || *url != '/')
		return url_is_sound(url);
	return snprintf(whole, sizeof(whole), "http://hub%s", url) < (int)sizeof(whole) &&
	       url_is_sound(whole);
}

void node_probe_take(struct node *a, struct view json)
{
	struct tc_ping_request r;
	struct node_probe *p = NULL;

	arena_reset(&a->scratch);
	for (size_t i = 0; i < NODE_PROBES_MAX; i++)
		if (!a->probes[i].used)
			p = &a->probes[i];
	if (json.len > NODE_PROBE_MAX ||
		json_decode(&tc_ping_request_type, json.p, json.len, &r, &a->scratch, NULL) < 0 ||
		!may_ask(r.url) || !p) {
		a->counters.probes_refused++;
		return;
	}
	if (a->last_probe_url && !strcmp(a->last_probe_url, r.url))
		return;
	free(a->last_probe_url);
	a->last_probe_url = strdup(r.url);
	if (probe_fill(a, p, &r))
		a->counters.probes++;
}

/* "/path?query" of a URL; "/" when it has none. */
static const char *path_of(const char *url)
{
	const char *at = strstr(url, "://");

	at = strchr(at ? at + 3 : url, '/');
	return at ? at : "/";
}

static void post(struct node *a, const char *method, const char *url, struct view body)
{
	if (!a->ctl || ctlclient_request(a->ctl, method, path_of(url), body) < 0)
		a->counters.probes_refused++;
}

/* ---- Requests to this device ---- */

struct c2n_route {
	const char *path, *method; /* NULL: any */
	int status;
	const char *body;                             /* NULL: what came */
	int (*make)(struct node *a, struct buf *out); /* makes the body instead */
};

static int make_rejects(struct node *a, struct buf *out)
{
	struct ipn_rejects r;
	int rc = node_rejects(a, &a->scratch, &r);

	return rc < 0 ? rc : json_encode(&ipn_rejects_type, &r, out);
}

static int make_health(struct node *a, struct buf *out)
{
	struct ipn_health h;
	int rc = node_health(a, a->now, &a->scratch, &h);

	return rc < 0 ? rc : json_encode(&ipn_health_type, &h, out);
}

static const struct c2n_route c2n_routes[] = {
	{ "/echo", NULL, 200, NULL, NULL },
	{ "/debug/rejects", "GET", 200, "", make_rejects },
	{ "/debug/health", "GET", 200, "", make_health },
	{ "/logtail/flush", "POST", 204, "", NULL }, /* no log leaves this device */
	{ "/update", "GET", 200,
		"{\"Err\":\"\",\"Enabled\":false,\"Supported\":false,\"Started\":false}", NULL },
	{ "/posture/identity", "GET", 200, "{\"PostureDisabled\":true}", NULL },
	{ "/vip-services", "GET", 200, "{\"VIPServices\":null,\"ServicesHash\":\"\"}", NULL },
};

static int respond_made(struct node *a, const struct c2n_route *r, struct buf *out)
{
	struct buf body;
	int rc;

	arena_reset(&a->scratch);
	buf_init(&body, NODE_C2N_MAX);
	rc = r->make(a, &body);
	if (rc == 0)
		rc = http1_respond(
			out, r->status, "application/json", "", buf_view(&body), false, true);
	buf_fini(&body);
	return rc;
}

static int c2n_respond(
	struct node *a, struct buf *out, const struct http1_head *h, struct view body)
{
	static const char remote[] = "/remoteapi/localapi/";
	struct view path = http1_path(h);

	if (path.len >= sizeof(remote) - 1 && !memcmp(path.p, remote, sizeof(remote) - 1))
		return http1_respond(out, 403, "text/plain; charset=utf-8", "",
			VIEW_LIT("remote config not enabled by local machine\n"), false, true);

	for (size_t i = 0; i < ARRAY_LEN(c2n_routes); i++) {
		const struct c2n_route *r = &c2n_routes[i];

		if (!view_eq(path, view_of(r->path, strlen(r->path))))
			continue;
		if (r->method && !http1_method_is(h, r->method))
			return http1_respond(out, 405, "text/plain; charset=utf-8", "",
				VIEW_LIT("bad method\n"), false, true);
		if (r->make)
			return respond_made(a, r, out);
		return http1_respond(out, r->status,
			r->body ? "application/json" : "text/plain; charset=utf-8", "",
			r->body ? view_of(r->body, strlen(r->body)) : body, false, true);
	}
	return http1_respond(out, 400, "text/plain; charset=utf-8", "",
		VIEW_LIT("unknown c2n path\n"), false, true);
}

static void answer_c2n(struct node *a, struct node_probe *p)
{
	struct http1_head h;
	struct buf out;
	size_t used;

	buf_init(&out, 2 * NODE_C2N_MAX);
	if (http1_parse(p->payload, p->payload_len, false, &h, &used) == 0 && !h.chunked &&
		h.content_length <= p->payload_len - used &&
		c2n_respond(a, &out, &h, view_of(p->payload + used, h.content_length)) == 0)
		post(a, "POST", p->url, buf_view(&out));
	else
		a->counters.probes_refused++;
	buf_fini(&out);
}

/* ---- Pings on the hub's behalf ---- */

static void send_pong(struct node *a, const struct node_probe *p, const char *type,
	const struct ipn_ping_result *r)
{
	struct tc_ping_response out = { .type = type,
		.ip = r->ip,
		.node_ip = r->node_ip,
		.node_name = r->node_name,
		.err = r->err,
		.latency_seconds = r->latency_seconds,
		.endpoint = r->endpoint,
		.derp_region_id = r->derp_region_id,
		.derp_region_code = r->derp_region_code,
		.peerapi_port = r->peerapi_port,
		.is_local_ip = r->is_local_ip };
	struct buf body;

	buf_init(&body, NODE_PROBE_MAX);
	if (json_encode(&tc_ping_response_type, &out, &body) == 0)
		post(a, "POST", p->url, buf_view(&body));
	buf_fini(&body);
}

static void ping_ended(struct node_probe *p)
{
	if (--p->n_pings == 0)
		probe_free(p);
}

static void on_pong(void *ctx, const struct ipn_ping_result *r)
{
	struct node_probe_ping *ping = ctx;
	struct node_probe *p = ping->of;

	send_pong(p->a, p, ipn_ping_type_name(ping->type), r);
	ping_ended(p);
}

/* One of each type, however often the hub names it. */
static void begin_ping(struct node *a, struct node_probe *p, const char *name)
{
	enum ipn_ping_type type;

	if (ipn_ping_type_parse(name, &type) < 0 || p->pings[type].of) {
		a->counters.probes_refused++;
		return;
	}
	p->pings[type] = (struct node_probe_ping){ .of = p, .type = type };
	p->n_pings++;
	node_ping_begin(a, p->ip, type, 0, on_pong, &p->pings[type]);
}

static void begin_pings(struct node *a, struct node_probe *p)
{
	char *rest = p->types, *word;

	p->n_pings = 1; /* held while they are started: answers may come from inside */
	while ((word = strsep(&rest, ",")))
		begin_ping(a, p, word);
	ping_ended(p);
}

/* ---- HEAD of a plain URL ---- */

/* The hub's own host and port, as its URL has them: nobody else is asked on its word. */
static bool is_hub_url(const struct node *a, const char *url)
{
	size_t n = strcspn(a->ctl_url, "/"); /* "http:" */

	if (!n)
		return false;
	n += 2 + strcspn(a->ctl_url + n + 2, "/");
	return !strncmp(url, a->ctl_url, n) && (url[n] == '/' || !url[n]);
}

static void begin_head(struct node *a, struct node_probe *p)
{
	bool https = !strncmp(p->url, "https://", 8);
	const char *at = p->url + (https ? 8 : 7);
	char host[CTLCLIENT_URL_MAX], authority[CTLCLIENT_URL_MAX], *colon;
	struct node_dial d = { .host = host,
		.port = https ? 443 : 80,
		.tls = https ? NODE_TLS_VERIFIED : NODE_TLS_NONE,
		.name = host };
	uint64_t port;

	snprintf(authority, sizeof(authority), "%.*s", (int)strcspn(at, "/"), at);
	snprintf(host, sizeof(host), "%s", authority[0] == '[' ? authority + 1 : authority);
	colon = strrchr(host, ':');
	if (colon && !strchr(colon, ']')) {
		if (text_u64(colon + 1, strlen(colon + 1), 65535, &port) < 0)
			port = d.port;
		d.port = (uint16_t)port;
		*colon = 0;
	}
	host[strcspn(host, "]")] = 0;
	buf_clear(&a->head_out);
	if (buf_printf(&a->head_out, "HEAD %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n",
		    path_of(p->url), authority) < 0) {
		a->counters.probes_refused++;
		probe_free(p);
		return;
	}
	p->busy = true;
	a->head = p;
	a->ops->dial(a->owner, NODE_STREAM_PROBE, &d);
}

void node_probe_connected(struct node *a)
{
	a->head_up = a->head != NULL;
	a->ops->stream_wake(a->owner, NODE_STREAM_PROBE);
}

void node_probe_closed(struct node *a)
{
	if (a->head)
		probe_free(a->head);
	a->head = NULL;
	a->head_up = false;
}

/* ---- All of them ---- */

static void begin(struct node *a, struct node_probe *p)
{
	if (!*p->types && !p->noise && is_hub_url(a, p->url)) {
		if (!a->head)
			begin_head(a, p);
		return;
	}
	p->busy = true;
	if (!strcmp(p->types, "c2n")) {
		answer_c2n(a, p);
		probe_free(p);
	} else if (!p->noise) {
		a->counters.probes_refused++; /* not the hub's own */
		probe_free(p);
	} else if (!*p->types) {
		post(a, "HEAD", p->url, view_of("", 0));
		probe_free(p);
	} else {
		begin_pings(a, p);
	}
}

void node_probes_run_deferred(struct node *a)
{
	for (size_t i = 0; i < NODE_PROBES_MAX; i++)
		if (a->probes[i].used && !a->probes[i].busy)
			begin(a, &a->probes[i]);
}

void node_probes_drop(struct node *a)
{
	if (a->head)
		a->ops->hangup(a->owner, NODE_STREAM_PROBE);
	a->head = NULL;
	for (size_t i = 0; i < NODE_PROBES_MAX; i++) {
		for (size_t k = 0; k < NODE_PING_TYPES; k++)
			node_ping_cancel(a, &a->probes[i].pings[k]);
		probe_free(&a->probes[i]);
	}
}
