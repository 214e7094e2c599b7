/* headscale's config.yaml: where its files are, and which of its settings the hub has, too. */
#include "hub/headscale/internal.h"
#include "os/file/file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int note(struct arena *mem, struct json_list *list, const char *fmt, ...)
{
	const char **grown = arena_array(mem, list->n + 1, sizeof(*grown));
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!grown)
		return -ENOMEM;
	if (list->n)
		memcpy(grown, list->v, list->n * sizeof(*grown));
	grown[list->n] = arena_strdup(mem, text);
	*list = json_list_of(grown, list->n + 1);
	return grown[list->n - 1] ? 0 : -ENOMEM;
}

/* ---- Where its files are ---- */

/* headscale takes paths from where its configuration is. */
static const char *path_of(const char *config, const char *path, struct arena *mem)
{
	const char *slash = strrchr(config, '/');

	return !path || path[0] == '/' || !slash
		       ? path
		       : arena_printf(mem, "%.*s/%s", (int)(slash - config), config, path);
}

static int find_files(struct config *c, const char *config, struct arena *mem, struct err_at *at)
{
	const char *type = yaml_text(c->yaml, "database.type"),
		   *mode = yaml_text(c->yaml, "policy.mode");

	if (type && strcmp(type, "sqlite") != 0 && strcmp(type, "sqlite3") != 0) {
		err_at_set(at, 0, 0,
			"database.type is %.40s; only SQLite is read: move headscale to SQLite first",
			type);
		return -ERR_UNSUPPORTED;
	}
	c->database = path_of(config, yaml_text(c->yaml, "database.sqlite.path"), mem);
	c->noise_key = path_of(config, yaml_text(c->yaml, "noise.private_key_path"), mem);
	c->relay_key = path_of(config, yaml_text(c->yaml, "derp.server.private_key_path"), mem);
	if (!mode || !strcmp(mode, "file"))
		c->policy = path_of(config, yaml_text(c->yaml, "policy.path"), mem);
	if (!yaml_is_true(c->yaml, "derp.server.enabled", false))
		c->relay_key = NULL;
	if (c->database && c->noise_key)
		return 0;
	err_at_set(at, 0, 0, "%s is missing: is this headscale's config.yaml?",
		c->database ? "noise.private_key_path" : "database.sqlite.path");
	return -ERR_BAD_FORMAT;
}

/* ---- Names ---- */

static size_t length(const struct yaml *list)
{
	size_t n = 0;

	for (const struct yaml *y = list ? list->first : NULL; y; y = y->next)
		n++;
	return n;
}

static int take_resolvers(const struct yaml *list, struct arena *mem, struct json_list *ret)
{
	struct tc_resolver *v = arena_array(mem, length(list), sizeof(*v));
	size_t n = 0;

	if (!v)
		return -ENOMEM;
	for (const struct yaml *y = list ? list->first : NULL; y; y = y->next)
		if (y->kind == YAML_TEXT)
			v[n++] = (struct tc_resolver){ .addr = y->text };
	*ret = json_list_of(v, n);
	return 0;
}

static int take_splits(const struct yaml *map, struct arena *mem, struct json_list *ret)
{
	struct coord_dns_split *v = arena_array(mem, length(map), sizeof(*v));
	size_t n = 0;
	int rc = v ? 0 : -ENOMEM;

	for (const struct yaml *y = map && map->kind == YAML_MAP ? map->first : NULL; y && rc == 0;
		y = y->next) {
		v[n].suffix = y->key;
		rc = take_resolvers(y, mem, &v[n++].resolvers);
	}
	*ret = json_list_of(v, n);
	return rc;
}

static int take_search(const struct yaml *list, struct arena *mem, struct json_list *ret)
{
	const char **v = arena_array(mem, length(list), sizeof(*v));
	size_t n = 0;

	if (!v)
		return -ENOMEM;
	for (const struct yaml *y = list ? list->first : NULL; y; y = y->next)
		if (y->kind == YAML_TEXT)
			v[n++] = y->text;
	*ret = json_list_of(v, n);
	return 0;
}

static int take_records(const struct yaml *list, struct arena *mem, struct json_list *ret)
{
	struct tc_dns_record *v = arena_array(mem, length(list), sizeof(*v));
	size_t n = 0;

	if (!v)
		return -ENOMEM;
	for (const struct yaml *y = list ? list->first : NULL; y; y = y->next) {
		v[n] = (struct tc_dns_record){ .name = yaml_text(y, "name"),
			.type = yaml_text(y, "type"),
			.value = yaml_text(y, "value") };
		n += v[n].name && v[n].value;
	}
	*ret = json_list_of(v, n);
	return 0;
}

static int take_dns(struct config *c, struct arena *mem)
{
	const struct yaml *dns = yaml_at(c->yaml, "dns");
	int rc = take_resolvers(yaml_at(dns, "nameservers.global"), mem, &c->dns.resolvers);

	if (rc == 0)
		rc = take_splits(yaml_at(dns, "nameservers.split"), mem, &c->dns.splits);
	if (rc == 0)
		rc = take_search(yaml_at(dns, "search_domains"), mem, &c->dns.search);
	if (rc == 0)
		rc = take_records(yaml_at(dns, "extra_records"), mem, &c->dns.records);
	c->dns.magic_off = !yaml_is_true(dns, "magic_dns", true);
	c->dns.override_off = !yaml_is_true(dns, "override_local_dns", true);
	c->base_domain = yaml_text(dns, "base_domain");
	return rc;
}

int config_read(const char *path, struct arena *mem, struct config *ret, struct err_at *at)
{
	struct yaml *y = NULL;
	struct err_at why = { 0 };
	struct buf text;
	int rc;

	*ret = (struct config){ 0 };
	buf_init(&text, YAML_TEXT_MAX);
	rc = file_read(path, &text);
	if (rc < 0) {
		buf_fini(&text);
		return file_explain(path, rc, at);
	}
	rc = yaml_parse(view_of(buf_data(&text), buf_len(&text)), mem, &y, &why);
	buf_fini(&text);
	if (rc == 0) {
		ret->yaml = y;
		ret->path = path;
		rc = find_files(ret, path, mem, &why);
	}
	if (rc == 0)
		rc = take_dns(ret, mem);
	if (rc < 0)
		err_at_set(at, why.line, why.column, "%.200s: %s", path,
			why.text[0] ? why.text : err_text(rc));
	return rc;
}

/* ---- What it means for the hub ---- */

static const struct {
	const char *path, *option;
} same[] = {
	{ "server_url", "url" },
	{ "dns.base_domain", "base-domain" },
	{ "listen_addr", "listen" },
	{ "tls_cert_path", "tls-cert" },
	{ "tls_key_path", "tls-key" },
	{ "derp.server.stun_listen_addr", "stun-listen" },
};

/* Settings without an equal, and what there is instead. */
static const struct {
	const char *path, *text;
} others[] = {
	{ "tls_letsencrypt_hostname",
		"the certificate by Let's Encrypt (tls_letsencrypt_hostname) stays with headscale: docs/certificates-and-proxies.md says how this hub gets one" },
	{ "oidc.issuer",
		"people who signed in by OpenID Connect (oidc) keep their devices; a new device of theirs is approved by an administrator" },
	{ "dns.extra_records_path",
		"records of dns.extra_records_path: add them with \"warren-hub dns records add\"" },
	{ "randomize_client_port",
		"randomize_client_port: the policy says it with the node attribute randomize-client-port" },
	{ "node.expiry", "node.expiry: --key-expiry says it for logins from now on" },
};

int config_tell(const struct config *c, struct arena *mem, struct headscale_result *ret)
{
	const struct yaml *urls = yaml_at(c->yaml, "derp.urls"),
			  *paths = yaml_at(c->yaml, "derp.paths");
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(same) && rc == 0; i++) {
		const char *value = yaml_text(c->yaml, same[i].path);

		if (value && strstr(same[i].option, "tls-"))
			value = path_of(c->path, value, mem);
		if (value)
			rc = note(mem, &ret->settings, "%s=%.500s", same[i].option, value);
	}
	for (size_t i = 0; i < ARRAY_LEN(others) && rc == 0; i++)
		if (yaml_text(c->yaml, others[i].path) &&
			(strcmp(others[i].path, "randomize_client_port") != 0 ||
				yaml_is_true(c->yaml, others[i].path, false)))
			rc = note(mem, &ret->lost, "%s", others[i].text);
	if (rc == 0 && paths && paths->first)
		rc = note(mem, &ret->lost,
			"relays of derp.paths: put them into the policy's derpMap (docs/policy.md)");
	if (rc == 0 && urls && urls->first)
		rc = note(mem, &ret->differs,
			"devices use this hub's relay; those of derp.urls no longer, unless the policy's derpMap names them");
	if (rc == 0 && !c->relay_key)
		rc = note(
			mem, &ret->differs, "headscale had no relay of its own; this hub has one");
	return rc;
}
