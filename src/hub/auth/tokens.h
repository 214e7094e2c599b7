/*
 * hub/auth/tokens: API tokens: what a program shows to use /api/v2. The text is "tskey-api-k<number>-<64
 * hex digits>", as tools for Tailscale expect it; kept is its SHA-256 only.
 */
#ifndef WARREN_HUB_AUTH_TOKENS_H
#define WARREN_HUB_AUTH_TOKENS_H

#include "hub/state/state.h"

enum { TOKENS_MAX = 1000, TOKEN_TEXT_MAX = 112, TOKEN_NAME_MAX = 100 };

/* Bits of principal.rights. */
enum token_right {
	TOKEN_READ_POLICY = 1,
	TOKEN_WRITE_POLICY = 2,
	TOKEN_READ_DNS = 4,
	TOKEN_WRITE_DNS = 8,
};

struct token {
	int64_t id;
	const char *hash; /* hex */
	const char *name; /* for people */
	const char *
		scope; /* as Tailscale names it: "policy_file", "policy_file:read", "dns", "dns:read", "all", "all:read" */
	bool revoked;
	bool deleted;             /* stored, so that its number is not used again, and not listed */
	unix_ms created, expires; /* 0: never */
	unix_ms last_used;        /* to the hour; 0: never */
};

extern const struct json_type token_type;

MUST_USE int tokens_load(struct hub *h, struct err_at *at);
/* Another process wrote this token (NULL: deleted it). Negative: they have to be loaded anew. */
MUST_USE int tokens_apply(struct hub *h, int64_t id, const struct view *doc);
void tokens_free(struct hub *h);
/* scope NULL: policy_file. The secret is in text, once. -ERR_BAD_VALUE: name or scope;
 * -ERR_TOO_MANY. Not committed yet. */
MUST_USE int token_create(struct hub *h, const char *name, const char *scope, unix_ms expires,
	char text[static TOKEN_TEXT_MAX], const struct token **ret);
MUST_USE int token_revoke(struct hub *h, int64_t id);        /* -ENOENT. Not committed yet. */
MUST_USE int token_delete(struct hub *h, int64_t id);        /* -ENOENT. Not committed yet. */
const struct token *token_at(const struct hub *h, size_t i); /* NULL behind the last */
/* "valid", "expired", "revoked" */
const char *token_state(const struct token *t, unix_ms now);

/* Which token a request shows, as Bearer or as the user name of Basic. NULL: none that is valid. */
struct token *token_of_request(struct hub *h, const struct http1_head *head);
uint64_t token_rights(const struct token *t); /* by its scope */
/* The narrowest scope with all of these. */
const char *token_scope_for(uint64_t rights);
/* The connection is no stranger's: what it holds is charged to an account of the token's. */
struct stream;
void token_proved(const struct token *t, struct stream *s);
/* Remembers the day and hour. */
void token_used(struct hub *h, struct token *t);

#endif
