/*
 * hub/state: what all of the hub holds in common: struct hub, its bounds and counters; at the bottom of the folders of hub/. Here are also
 * the options, where devices reach the hub, what a person was shown of a device, and the gate that a change waits behind.
 */
#ifndef WARREN_HUB_STATE_STATE_H
#define WARREN_HUB_STATE_STATE_H

#include "base/list/list.h"
#include "base/ratelimit/ratelimit.h"
#include "core/coord/coord.h"
#include "core/ts2021/ts2021.h"
#include "http/server/server.h"
#include "hub/audit/audit.h"
#include "hub/state/options.h"
#include "hub/state/reach.h"
#include "os/budget/budget.h"
#include "os/budget/trim.h"
#include "os/certs/certs.h"
#include "relay/relay.h"

enum {
	HUB_CONNS_MAX =
		2 *
		BUDGET_STRANGER_CONNS_MAX, /* HTTP connections that have not been upgraded: never reached before the ledger's */
	HUB_ACCEPT_RATE_MAX = 1000000,
	HUB_SESSIONS_MAX = 65536, /* control connections; a device has one or two */
	HUB_SESSION_MAPS_MAX = 4, /* map streams of a control connection; a device has one */
	/*
	 * Read of all control connections in one turn of the loop (struct stream_turn). An update of a device is some 400 bytes and
	 * costs 0.2 ms: these are a tenth of a second.
	 */
	HUB_TURN_BYTES = 256 * 1024,
	HUB_TURN_MIN = 4 * 1024,   /* of one, whatever all together are */
	HUB_TURN_MAX = 64 * 1024,  /* of one, if it is alone */
	HUB_SESSION_WAITS_MAX = 4, /* registrations of it that wait for an answer */
	HUB_ADMIN_CONNS_MAX = 64,
	HUB_THREADS = 8,    /* the loop, the writer of the database, and what libraries may start */
	HUB_GIT_TASKS = 32, /* one git at a time, with its helpers and their threads */
	HUB_PAGE_MAX = 256 * 1024,
	HUB_FORMER_MAX = 8, /* URLs that the hub had before */
	HUB_RELAY_CLIENTS_MAX = 65536,
	HUB_LINKS_MAX = 16,  /* login links that wait; the oldest goes */
	HUB_LOGINS_MAX = 64, /* browser sessions of admins; the oldest goes */
	HUB_THROTTLES_MAX =
		64, /* sources that showed wrong API tokens lately; the one that waited longest goes */
	HUB_THROTTLE_BURST = 10,
	HUB_CODES_MISSED_MAX =
		300, /* wrong codes of logins, of all sources together, at once; then one each HUB_CODES_MISSED_STEP */
	HUB_SHOWN_MAX =
		64, /* what was shown of devices that wait, to say what has changed; the oldest goes */
	HUB_SHOWN_TEXT_MAX = 16 << 10,
};
#define HUB_MEMORY_MIN ((uint64_t)256 << 20) /* below, the bounds that do not scale would not fit */
#define HUB_THROTTLE_STEP SEC(6)
enum {
	HUB_VERIFY_RATE =
		1000, /* questions of other relays a second, of one source; a relay has one for each device that comes */
	HUB_VERIFY_BURST = 5000,
};
#define HUB_CODES_MISSED_STEP SEC(3)
#define HUB_LINK_LIFE SEC(10 * 60)
#define HUB_LOGIN_LIFE SEC(12 * 3600)
#define HUB_STORE_STUCK \
	SEC(10) /* a change that waits for the disk so long: the hub is not healthy */
#define HUB_LAST_WORDS \
	MSEC(500) /* from a failed store to the end of the process: so that those who wait read why */
#define HUB_SESSION_IDLE SEC(600) /* a control connection without a request */
#define HUB_STRANGER_IDLE SEC(60) /* likewise, of a machine that is no member's */

enum { HUB_TOKEN_LEN = 32, HUB_TOKEN_TEXT = 2 * HUB_TOKEN_LEN + 1 };

struct hub_link {
	uint8_t hash[32];
	char next[256];
	mono_ns expires; /* 0: unused */
	int64_t user;    /* who comes with it; 0: whoever is root on this machine */
	bool used;       /* kept to tell a used link from a wrong one */
};

struct hub_login {
	uint8_t hash[32]; /* of the cookie */
	char csrf[HUB_TOKEN_TEXT];
	mono_ns expires;
	int64_t id;   /* since the hub began; 0: nobody's */
	int64_t user; /* as of the link */
	unix_ms created;
};

struct hub_throttle {
	struct ipaddr from;
	mono_ns full_at; /* from then on the whole burst is allowed again */
};

/* What a person was shown of a device that waits, as lines of "label\tvalue". */
struct hub_shown {
	struct arena mem;
	struct coord_grant grant; /* without lines: unused */
};

struct hub_counters {
	uint64_t sessions, bad_handshakes, bad_sessions, requests, unknown_requests, idle_closed,
		pages, admin_requests, logins, login_failures, csrf_failures, codes_throttled,
		codes_missed, api_requests, api_denied, api_throttled, policy_changes,
		policy_refused, changes_refused;
	uint64_t verify_requests, verify_refused, verify_throttled;
	uint64_t begun_anew; /* the engine, because the disk had refused what was promised */
	uint64_t reread;     /* the engine, because another program changed the database */
	uint64_t control_limits[TS2021_N_LIMITS]; /* bounds that control connections reached */
	uint64_t
		control_busy; /* map streams and registrations that were one too many for their connection */
	uint64_t unanswered; /* control connections whose other end did not say that it lives */
};

struct tokens;
struct git;

struct store_sqlite;
struct packages;
struct console;
struct admin_news_kept;

struct hub {
	const struct hub_options *o;
	struct loop *loop;
	struct budget budget;
	struct ledger *ledger; /* of all connections */
	struct trim *trim;
	struct arena mem;
	int lock; /* on the state directory; -1: not taken */
	struct store_sqlite *store;
	struct tailnet *tailnet;
	struct relay *relay;
	struct httpd *web, *admin;
	struct tls_ctx *tls, *relay_tls;
	struct certs *certs; /* of tls; NULL: the hub has no certificate from files */
	struct loop_timer *timer, *idle_timer, *ask_timer, *check_timer;
	struct secret_machine noise;
	struct machine_pub noise_pub;
	struct url url;
	const char *url_text;              /* without a slash at the end */
	struct url former[HUB_FORMER_MAX]; /* --also-url */
	size_t n_former;
	struct tc_derp_map derp_map, derp_map_unpinned;
	char pin[80]; /* "sha256-raw:<hex>" of the relay's own certificate, or "" */
	struct reach reach;
	struct forwarded_trust proxies; /* whose word on who the client is counts */
	struct ipport web_addr, http_addr, relay_addr, stun_addr; /* bound; unset: none */
	struct list sessions, idle, idle_strangers;               /* the longest idle first */
	struct list
		checked; /* sessions that may wait for their other end; who is looked at next first */
	struct heap
		asked; /* sessions whose program was asked whether it lives, until it says something */
	size_t n_sessions;
	struct stream_turn reading; /* of control connections */
	struct hub_link link[HUB_LINKS_MAX];
	struct hub_login login[HUB_LOGINS_MAX];
	struct ratelimit verifiers; /* who asks at /verify */
	struct hub_throttle throttle[HUB_THROTTLES_MAX],
		code_throttle[HUB_THROTTLES_MAX]; /* wrong tokens; wrong codes of logins */
	mono_ns codes_full_at; /* of all sources: from then on HUB_CODES_MISSED_MAX are allowed again */
	struct hub_shown shown[HUB_SHOWN_MAX];
	size_t next_shown;
	struct packages *packages; /* NULL: none are handed out */
	struct console *console;   /* NULL: nobody ever looked */
	uint64_t
		pages_tick; /* goes up when open pages are told what has changed; 0: none is open */
	struct admin_news_kept *news; /* answers that they share; NULL: none yet */
	struct tokens *tokens;
	struct audit *audit;
	struct loop_timer *audit_timer; /* what is too old goes */
	struct git *git;                /* NULL: the policy does not come from Git */
	char etag[65];                  /* of the policy, for that version */
	int64_t etag_version;
	struct hub_counters n;
	mono_ns started;
	int accept_rate;
	int64_t key_life_ms;
	bool store_refused; /* at the end of the last turn */
	/* The store refuses changes with these words, while what another program wrote cannot be read. */
	char unreadable[320];
	mono_ns reread_at; /* not before: the next time that all is loaded anew for another program */
	int failed;
};

/* Of a request to any of its tables. */
static inline struct hub *hub_of(const struct http_request *q)
{
	return q->ctx;
}

/* lookup.c */
/* The user that a name means; "" and NULL: the first one. NULL if there is none. */
const struct coord_user *hub_user(const struct hub *h, const char *name);
/* The device that a number or a name means, with or without the domain. */
const struct coord_node_doc *hub_node(const struct hub *h, const char *word);
/* Devices that joined with a key and wait for an administrator. */
size_t hub_waiting(const struct hub *h);

/* hold.c: replies that wait for the store. Every table with routes that change has one of these gates. */
enum hub_asker { HUB_ADMIN, HUB_API, HUB_PAGE };
extern const struct router_gate hold_admin, hold_api, hold_page;
/* A change that is not begun, because of what a gate said. */
MUST_USE int hold_refuse(struct http_request *q, enum hub_asker who, const char *why);
/* Ends audit_begin; what cannot be recorded is logged. */
void hold_record(struct hub *h, const struct audit_entry *who);
void hold_release(struct hub *h);        /* those whose changes are durable by now */
void hold_release_failed(struct hub *h); /* the store has failed */

/* shown.c: what people were shown of devices that wait, and what is another thing now. */
void shown_note(struct hub *h, const struct coord_grant *g);
/* "Tags" was "none" and is "tag:web", ...; "": it is not remembered. In mem. */
const char *shown_changes(
	const struct hub *h, const char *digest, const struct coord_grant *now, struct arena *mem);
void shown_free(struct hub *h);

#endif
