#include "hub/auth/tokens.h"
#include "base/rng/rng.h"
#include "base/text/text.h"
#include "crypto/ct/ct.h"
#include "crypto/sha256/sha256.h"
#include "os/log/log.h"
#include "store/sqlite/sqlite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { SECRET_LEN = 32, TOKENS_MEM_MAX = 4 << 20, HOUR_MS = 3600 * 1000 };
static const char prefix[] = "tskey-api-k";

/* The first one is meant where none is named; narrow ones stand before wide ones. A scope that writes reads, too. */
static const struct scope {
	const char *name;
	uint64_t rights;
} scopes[] = { { "policy_file", TOKEN_READ_POLICY | TOKEN_WRITE_POLICY },
	{ "policy_file:read", TOKEN_READ_POLICY }, { "dns", TOKEN_READ_DNS | TOKEN_WRITE_DNS },
	{ "dns:read", TOKEN_READ_DNS }, { "all:read", TOKEN_READ_POLICY | TOKEN_READ_DNS },
	{ "all", TOKEN_READ_POLICY | TOKEN_WRITE_POLICY | TOKEN_READ_DNS | TOKEN_WRITE_DNS } };

/* NULL: there is none of this name. */
static const struct scope *scope_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(scopes); i++)
		if (!strcmp(scopes[i].name, name))
			return &scopes[i];
	return NULL;
}

struct tokens {
	struct arena mem;
	size_t n;
	int64_t last_id;
	struct token *v[TOKENS_MAX];
};

static const struct json_field fields[] = {
	JSON_F(struct token, id, "id", json_int, 0),
	JSON_F(struct token, hash, "hash", json_str, 0),
	JSON_F(struct token, name, "name", json_str, JSON_OMIT),
	JSON_F(struct token, scope, "scope", json_str, 0),
	JSON_F(struct token, revoked, "revoked", json_bool, JSON_OMIT),
	JSON_F(struct token, deleted, "deleted", json_bool, JSON_OMIT),
	JSON_F(struct token, created, "created", json_time, 0),
	JSON_F(struct token, expires, "expires", json_time, JSON_OMIT),
	JSON_F(struct token, last_used, "lastUsed", json_time, JSON_OMIT),
	JSON_END,
};
JSON_OBJECT_TYPE(token_type, struct token, fields);

/* promised: what was done is answered only when this is durable. */
static int store(struct hub *h, const struct token *t, bool promised)
{
	struct coord_store *s = store_sqlite_store(h->store);
	struct buf b;
	int rc;

	buf_init(&b, 4096);
	rc = json_encode(&token_type, t, &b);
	if (rc == 0)
		rc = (promised ? coord_store_put : coord_store_note)(
			s, COORD_API_TOKEN, t->id, buf_view(&b));
	buf_fini(&b);
	return rc;
}

static int on_load(void *ctx, int64_t id, struct view doc)
{
	struct tokens *all = ctx;
	struct token *t = arena_new(&all->mem, struct token);
	int rc;

	if (!t)
		return -ENOMEM;
	rc = all->n == TOKENS_MAX ? -ERR_TOO_MANY
				  : json_decode(&token_type, doc.p, doc.len, t, &all->mem, NULL);
	if (rc < 0)
		return rc;
	t->id = id;
	all->last_id = id > all->last_id ? id : all->last_id;
	if (t->deleted)
		return 0;
	all->v[all->n++] = t;
	return t->hash && strlen(t->hash) == 64 && t->scope ? 0 : -ERR_BAD_FORMAT;
}

static void all_free(struct tokens *all)
{
	if (all)
		arena_fini(&all->mem);
	free(all);
}

void tokens_free(struct hub *h)
{
	all_free(h->tokens);
	h->tokens = NULL;
}

int tokens_load(struct hub *h, struct err_at *at)
{
	struct coord_store *s = store_sqlite_store(h->store);
	struct tokens *all = calloc(1, sizeof(*all));
	int rc;

	if (!all)
		return -ENOMEM;
	arena_init(&all->mem, TOKENS_MEM_MAX);
	rc = s->ops->load(s, COORD_API_TOKEN, on_load, all);
	if (rc < 0) {
		err_at_set(at, 0, 0, "the database has an API token that cannot be read: %s",
			err_text(rc));
		all_free(all);
		return rc;
	}
	tokens_free(h);
	h->tokens = all;
	return 0;
}

static struct token *find(const struct hub *h, int64_t id)
{
	for (size_t i = 0; i < h->tokens->n; i++)
		if (h->tokens->v[i]->id == id)
			return h->tokens->v[i];
	return NULL;
}

static void take_out(struct tokens *all, const struct token *t)
{
	for (size_t i = 0, n = all->n; i < n; i++)
		if (all->v[i] == t) {
			memmove(all->v + i, all->v + i + 1, (n - i - 1) * sizeof(struct token *));
			all->n--;
			break;
		}
}

int tokens_apply(struct hub *h, int64_t id, const struct view *doc)
{
	take_out(h->tokens, find(h, id));
	return doc ? on_load(h->tokens, id, *doc) : 0;
}

static bool is_name(const char *s)
{
	for (const char *p = s; *p; p++)
		if ((uint8_t)*p < 0x20 || *p == 0x7f)
			return false;
	return strlen(s) <= TOKEN_NAME_MAX;
}

int token_create(struct hub *h, const char *name, const char *scope, unix_ms expires,
	char text[static TOKEN_TEXT_MAX], const struct token **ret)
{
	struct tokens *all = h->tokens;
	struct token *t = arena_new(&all->mem, struct token);
	uint8_t secret[SECRET_LEN];
	char hex[2 * SECRET_LEN + 1], hash[65];
	int rc;

	scope = scope && *scope ? scope : scopes[0].name;
	if (!scope_find(scope) || !is_name(name))
		return -ERR_BAD_VALUE;
	if (!t || all->n == TOKENS_MAX)
		return t ? -ERR_TOO_MANY : -ENOMEM;
	rng_fill(loop_rng(), secret, sizeof(secret));
	hex_encode(secret, sizeof(secret), hex);
	snprintf(text, TOKEN_TEXT_MAX, "%s%lld-%s", prefix, (long long)all->last_id + 1, hex);
	ct_wipe(secret, sizeof(secret));
	ct_wipe(hex, sizeof(hex));
	sha256_hex(text, strlen(text), hash);
	*t = (struct token){ .id = all->last_id + 1,
		.hash = arena_strdup(&all->mem, hash),
		.name = arena_strdup(&all->mem, name),
		.scope = arena_strdup(&all->mem, scope),
		.created = loop_now(h->loop).wall,
		.expires = expires };
	rc = t->hash && t->name && t->scope ? store(h, t, true) : -ENOMEM;
	if (rc < 0)
		return rc;
	all->last_id = t->id;
	all->v[all->n++] = t;
	*ret = t;
	return 0;
}

int token_revoke(struct hub *h, int64_t id)
{
	struct token *t = find(h, id);

	if (!t)
		return -ENOENT;
	t->revoked = true;
	return store(h, t, true);
}

/* The highest number stays in the database: the next one follows it, also after a restart. */
int token_delete(struct hub *h, int64_t id)
{
	struct tokens *all = h->tokens;
	struct coord_store *s = store_sqlite_store(h->store);
	struct token *t = find(h, id);
	int rc;

	if (!t)
		return -ENOENT;
	t->deleted = true;
	rc = id == all->last_id ? store(h, t, true) : coord_store_del(s, COORD_API_TOKEN, id);
	if (rc == 0)
		take_out(all, t);
	return rc;
}

const struct token *token_at(const struct hub *h, size_t i)
{
	return i < h->tokens->n ? h->tokens->v[i] : NULL;
}

const char *token_state(const struct token *t, unix_ms now)
{
	return t->revoked ? "revoked" : t->expires && t->expires <= now ? "expired" : "valid";
}

/* "tskey-api-k7-...": the number says with which hash to compare; it is no secret. */
static struct token *find_by_text(struct hub *h, const char *text, size_t len)
{
	size_t skip = sizeof(prefix) - 1, digits = 0;
	struct token *t;
	uint64_t id;
	char hash[65];

	if (len <= skip || memcmp(text, prefix, skip) != 0)
		return NULL;
	while (skip + digits < len && text[skip + digits] != '-')
		digits++;
	if (text_u64(text + skip, digits, INT64_MAX, &id) < 0)
		return NULL;
	t = find(h, (int64_t)id);
	if (!t || strcmp(token_state(t, loop_now(h->loop).wall), "valid") != 0)
		return NULL;
	sha256_hex(text, len, hash);
	return ct_equal(hash, t->hash, 64) ? t : NULL;
}

struct token *token_of_request(struct hub *h, const struct http1_head *head)
{
	struct view v = http1_find(head, "Authorization");
	const char *text = (const char *)v.p;
	uint8_t plain[256];
	const uint8_t *colon;
	struct token *t = NULL;
	size_t len;

	if (v.len > 7 && text_ieq(text, 7, "Bearer ", 7))
		return find_by_text(h, text + 7, v.len - 7);
	if (v.len <= 6 || v.len > 6 + sizeof(plain) || !text_ieq(text, 6, "Basic ", 6))
		return NULL;
	if (base64_decode(text + 6, v.len - 6, plain, &len) == 0 &&
		(colon = memchr(plain, ':', len)))
		t = find_by_text(h, (const char *)plain, (size_t)(colon - plain));
	ct_wipe(plain, sizeof(plain));
	return t;
}

void token_proved(const struct token *t, struct stream *s)
{
	uint8_t id[LEDGER_ID_LEN] = "api token";

	memcpy(id + LEDGER_ID_LEN - sizeof(t->id), &t->id, sizeof(t->id));
	ledger_set_member(stream_holder(s), id);
}

uint64_t token_rights(const struct token *t)
{
	const struct scope *s = scope_find(t->scope);

	return s ? s->rights : 0;
}

const char *token_scope_for(uint64_t rights)
{
	size_t i = ARRAY_LEN(scopes) - 1;

	for (size_t k = 0; k < ARRAY_LEN(scopes); k++)
		if ((scopes[k].rights & rights) == rights && scopes[k].rights < scopes[i].rights)
			i = k;
	return scopes[i].name;
}

void token_used(struct hub *h, struct token *t)
{
	unix_ms now = loop_now(h->loop).wall;
	int rc;

	if (t->last_used && now - t->last_used < HOUR_MS)
		return;
	t->last_used = now;
	rc = store(h, t, false);
	if (rc < 0)
		log_warn_limited("api", "cannot note the use of a token", "token=%lld err=%s",
			(long long)t->id, err_text(rc));
}
