/* Shared by the files of core/ctlclient. */
#ifndef WARREN_CORE_CTLCLIENT_INTERNAL_H
#define WARREN_CORE_CTLCLIENT_INTERNAL_H

#include "core/ctlclient/ctlclient.h"
#include "core/ctlclient/mapstream.h"
#include "core/reason/reason.h"

/* Where a hub is. */
struct place {
	char url[CTLCLIENT_URL_MAX]; /* without a slash at the end */
	char host[CTLCLIENT_URL_MAX], authority[CTLCLIENT_URL_MAX + 8];
	uint16_t plain_port, tls_port; /* 0: not tried */
	bool https;
};

/* -ERR_BAD_VALUE. */
MUST_USE int place_parse(struct place *p, const char *url);
/* Where an answer that sends on leads: an absolute URL of /key or of the hub itself, and not from https to http. */
MUST_USE int place_redirected(const struct place *from, const char *location, struct place *ret);

/* Whom the key is asked of. */
enum asked {
	ASKED_AT,      /* the hub, where it is */
	ASKED_SENT_ON, /* where it sent us on to: instead of it */
	ASKED_TOLD,    /* where it told us to be found, while the session goes on */
};

struct conn {
	bool open;        /* dialled and not hung up */
	bool up;          /* the owner said connected */
	int rc;           /* why the last one failed; 0: it did not, since the session was begun */
	struct ts2021 *t; /* not for CTL_CONN_KEY */
	struct buf in, out; /* CTL_CONN_KEY */
};

enum call_kind { CALL_REGISTER, CALL_MAP, CALL_LITE, CALLS };

struct call {
	struct ctlclient *c;
	enum call_kind kind;
	struct ts_stream *s; /* NULL: not under way */
	int status;
	char retry_after[TS2021_RETRY_MAX];
	unsigned less; /* as in struct ctlclient, when it was sent */
	bool logout;   /* likewise */
	struct buf body;
};

struct ctlclient {
	const struct ctlclient_ops *ops;
	void *owner;
	struct rng *rng;
	struct secret_machine machine;
	struct machine_pub hub;
	struct machine_pub known; /* the last one it had: what a hub at another place has to show */
	struct place at, next;    /* next: that is asked for its key and may become at */
	enum asked asked;
	unsigned hops;                    /* times that we were sent on */
	bool strict;                      /* another key is another hub, at `at` as well */
	char told[CTLCLIENT_URL_MAX];     /* by the hub: where it wants to be found; "" */
	char location[REASON_DETAIL_MAX]; /* where the last answer sent us on to; "" */

	enum ctlclient_state state;
	struct now now; /* of the call that we are in */
	struct conn conn[CTL_CONNS];
	enum ctlclient_conn won; /* CTL_CONNS: no connection carries the session yet */
	bool refused; /* by one of the two that race: what answers there does not speak with our key */
	bool noise_done; /* in the feed that we are in */
	bool lost; /* the session broke inside a callback of its own; torn down when the call returns */
	mono_ns tls_at, retry_at, dial_until, silent_at;
	mono_ns ask_at;  /* a login waits, for hours perhaps: whether the hub lives is asked then */
	mono_ns lite_at; /* the hub asked for no lite update before */
	unsigned failures;  /* sessions in a row that did not last */
	mono_ns lost_at;    /* since when there is no hub */
	mono_ns session_at; /* when the latest session began */

	char handle[33]; /* of this life, in hex: tells it from another device with our keys */
	struct node_pub node, old_node,
		trial;            /* trial: what is being registered, zero: node itself */
	bool registered, checked; /* by the hub ever; in this process */
	bool fresh_key; /* the trial key was made because the hub asked: asking again is an error */
	bool login_wanted, logout, ephemeral, dirty;
	char *auth_key, *followup;
	unsigned less; /* how many kinds of settings are left out, as the hub refused them */
	bool refusal_told;
	char refusal[CTLCLIENT_REASON_MAX]; /* in the hub's words */

	struct call call[CALLS];
	struct mapstream maps;
	bool maps_began; /* a message of this stream that is more than a keep-alive was there */
	bool first_map;  /* the one in on_map is that */
	struct arena arena;
};

/* state.c */
/* Drop everything, try again later. rc 0: there is nothing to say. wait 0: as the failures in a row ask for. */
void ctlclient_fail(struct ctlclient *c, enum reason_step step, int rc, mono_ns wait);
void ctlclient_set_state(struct ctlclient *c, enum ctlclient_state s, const char *text);
void ctlclient_auth_key_set(
	struct ctlclient *c, const char *key); /* or NULL; the old one is wiped */
void ctlclient_note_alive(struct ctlclient *
		c); /* without a stream: the hub lives, or is about to be asked for the first time */

/* calls.c */
void ctlclient_calls_reset(struct ctlclient *c);
void ctlclient_calls_send(struct ctlclient *c); /* whatever is due on a ready session */
bool ctlclient_may_poll(const struct ctlclient *c);

/* settings.c */
struct settings_copy {
	struct tc_hostinfo host;
	char name[64];
};
/* What the hub did not take is left out of m; copy has to live as long as m. */
void settings_leave_out(
	const struct ctlclient *c, struct tc_map_request *m, struct settings_copy *copy);
/* The hub refused a request of a device that it knows. True: the same is to be sent again, with less. */
bool settings_try_less(struct ctlclient *c, const struct call *call, struct view why);
/* It took one. all_told: one that carries all settings. */
void settings_taken(struct ctlclient *c, bool all_told);

void ctlclient_on_response(void *owner, struct ts_stream *s, int status);
void ctlclient_on_data(void *owner, struct ts_stream *s, struct view data);
void ctlclient_on_end(void *owner, struct ts_stream *s, int rc);

#endif
