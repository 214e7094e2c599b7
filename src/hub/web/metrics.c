/* Prometheus text format. */
#include "base/metric/metric.h"
#include "hub/policy_source/git.h"
#include "hub/web/internal.h"
#include "hub/web/packages.h"
#include "relay/metrics.h"
#include "store/sqlite/sqlite.h"

static const char gauge[] = "gauge", counter[] = "counter";

static int put_engine(struct hub *h, struct buf *out)
{
	struct coord_stats s;

	coord_stats(h->tailnet, &s);
	const struct metric rows[] = {
		{ "hub_nodes", gauge, "Devices of the tailnet.", s.nodes },
		{ "hub_nodes_duplicate", gauge,
			"Devices with whose identity another one runs, too.", s.duplicates },
		{ "hub_polls_waited_total", counter,
			"Map streams that waited because another device with the same identity had its turn.",
			s.waited },
		{ "hub_nodes_online", gauge,
			"Devices that may take part and have an open map stream.", s.online },
		{ "hub_users", gauge, "Users.", s.users },
		{ "hub_auth_keys", gauge, "Auth keys, used and revoked ones included.", s.keys },
		{ "hub_pending_logins", gauge, "Logins that wait for approval.", s.pending },
		{ "hub_pending_logins_evicted_total", counter,
			"Logins that gave way to others, because their source held most.",
			s.pending_evicted },
		{ "hub_pending_logins_refused_total", counter,
			"Logins for which there was no room.", s.pending_refused },
		{ "hub_map_streams", gauge, "Open map streams.", s.map_sessions },
		{ "hub_registrations_total", counter, "Registrations answered with success.",
			s.registrations },
		{ "hub_registrations_refused_total", counter,
			"Registrations answered with an error.", s.refused },
		{ "hub_expired_asks_total", counter,
			"Registrations and map requests with a key that has expired or was replaced.",
			s.expired_asks },
		{ "hub_settings_refused_total", counter,
			"Settings of devices that were left out, as they are over a limit or malformed.",
			s.settings_refused },
		{ "hub_texts_cleaned_total", counter,
			"Texts that devices said of themselves and that held hidden characters: these were taken out.",
			s.texts_cleaned },
		{ "hub_parts_left_out_total", counter,
			"Values and list items that devices said of themselves and that were over a limit or of no known kind.",
			s.parts_left_out },
		{ "hub_unreadable_total", counter,
			"Documents of devices that their peers could not have read: these got name, key and addresses only.",
			s.unreadable },
		{ "hub_updates_waiting", gauge,
			"Devices that changed too much: the latest of it is told and saved when its time has come.",
			s.waiting },
		{ "hub_updates_held_total", counter,
			"Changes that had to wait, or gave way to later ones.", s.updates_held },
		{ "hub_logins_paced_total", counter,
			"Registrations told to come again later because their device registers too often.",
			s.paced_logins },
		{ "hub_address_pools_full_total", counter,
			"Devices refused because the policy's pool for them has no free address.",
			s.pools_full },
		{ "hub_bad_requests_total", counter,
			"Control requests that were malformed or not allowed.", s.bad_requests },
	};
	return metrics_put(out, rows, ARRAY_LEN(rows));
}

static int put_maps(struct hub *h, struct buf *out)
{
	struct coord_stats s;

	coord_stats(h->tailnet, &s);
	const struct metric rows[] = {
		{ "hub_first_maps_total", counter, "Whole maps sent.", s.maps },
		{ "hub_map_messages_total", counter, "Map messages of any kind.", s.messages },
		{ "hub_map_bytes_total", counter, "Compressed bytes of map messages.",
			s.bytes_out },
		{ "hub_lite_updates_total", counter, "Updates of one device's state.",
			s.lite_updates },
		{ "hub_shed_total", counter,
			"Registrations and map streams that were told to come again later.",
			s.shed },
		{ "hub_commits_total", counter, "Transactions of the store.", s.commits },
	};
	return metrics_put(out, rows, ARRAY_LEN(rows));
}

static int put_store(struct hub *h, struct buf *out)
{
	struct store_sqlite_state st;

	store_sqlite_state(h->store, &st);
	const struct metric rows[] = {
		{ "hub_store_pending_bytes", gauge, "Changes that wait for the disk.", st.pending },
		{ "hub_store_writing_seconds", gauge,
			"Since when the present transaction is being written.",
			st.writing_since
				? (uint64_t)((loop_now(h->loop).mono - st.writing_since) / SEC(1))
				: 0 },
		{ "hub_store_busy", gauge, "1 while another process holds the database.", st.busy },
		{ "hub_store_busy_total", counter,
			"Transactions that had to wait for another process.", st.busy_times },
		{ "hub_store_refuses", gauge, "1 while the disk takes no changes.",
			store_sqlite_store(h->store)->refuses != NULL },
		{ "hub_store_refused_total", counter, "Transactions that the disk refused.",
			st.refused },
		{ "hub_begun_anew_total", counter,
			"Times that the hub went back to what is on the disk, as it had refused what was promised.",
			h->n.begun_anew },
		{ "hub_store_foreign_total", counter,
			"Documents that another program changed in the database.", st.foreign },
		{ "hub_reread_total", counter,
			"Times that the database was read anew, as another program had changed it.",
			h->n.reread },
		{ "hub_replies_held", gauge, "Replies that wait for the store.",
			httpd_held(h->web) + httpd_held(h->admin) },
		{ "hub_changes_refused_total", counter,
			"Changes refused because the store was full or had failed.",
			h->n.changes_refused },
	};
	return metrics_put(out, rows, ARRAY_LEN(rows));
}

/* What all connections hold together, and who had to go for it. */
static int put_ledger(struct hub *h, struct buf *out)
{
	const struct ledger_stats *l = ledger_stats(h->ledger);
	const struct metric rows[] = {
		{ "hub_strangers_bytes", gauge,
			"Bytes held for connections and logins of those who have not proved to be members.",
			l->strangers.now.bytes },
		{ "hub_strangers_bytes_max", gauge, "At most; then the largest source gives way.",
			l->strangers.max.bytes },
		{ "hub_strangers_connections", gauge, "Their connections.",
			l->strangers.now.conns },
		{ "hub_strangers_connections_max", gauge,
			"At most; then the source with most of them gives way.",
			l->strangers.max.conns },
		{ "hub_strangers_evicted_total", counter,
			"Connections and logins of strangers that gave way.",
			l->strangers.evicted },
		{ "hub_strangers_refused_total", counter,
			"Times that a stranger wanted more than there was for it.",
			l->strangers.refused },
		{ "hub_strangers_waited_total", counter,
			"TLS handshakes that waited a turn, as others of the same network had theirs.",
			l->strangers.waited },
		{ "hub_members_bytes", gauge,
			"Bytes held for connections of members, API tokens and the administration.",
			l->members.now.bytes },
		{ "hub_members_bytes_max", gauge,
			"At most; then the member that holds most gives way.",
			l->members.max.bytes },
		{ "hub_members_connections", gauge, "Their connections.", l->members.now.conns },
		{ "hub_members_connections_max", gauge,
			"At most; then the member with most of them gives way.",
			l->members.max.conns },
		{ "hub_members_evicted_total", counter, "Connections of members that gave way.",
			l->members.evicted },
		{ "hub_members_refused_total", counter,
			"Times that a member wanted more than there was for it.",
			l->members.refused },
		{ "hub_leaving_bytes", gauge,
			"Bytes of those that gave way and have not closed yet.", l->leaving.bytes },
	};
	return metrics_put(out, rows, ARRAY_LEN(rows));
}

static int put_listeners(struct hub *h, struct buf *out)
{
	const struct httpd_counters *w = httpd_counters(h->web);
	const struct metric rows[] = {
		{ "hub_http_connections", gauge, "Connections that were not upgraded.",
			httpd_conns(h->web) },
		{ "hub_http_accepted_total", counter, "Connections taken.", w->accepted },
		{ "hub_http_refused_total", counter,
			"Connections closed because there were too many.", w->refused },
		{ "hub_http_requests_total", counter, "Requests.", w->requests },
		{ "hub_http_bad_requests_total", counter,
			"Requests that were malformed or not for us.", w->bad_requests },
		{ "hub_http_timed_out_total", counter,
			"Connections without a whole request in time, or that did not take the answer.",
			w->timed_out },
		{ "hub_http_paused_total", counter,
			"Times that requests had to wait, as their client did not take the answers.",
			w->paused },
		{ "hub_tls_failed_total", counter, "Connections that failed in TLS.",
			w->tls_failed },
		{ "hub_proxy_failed_total", counter,
			"Connections and requests of trusted proxies that did not name their client.",
			w->proxy_failed },
	};
	return metrics_put(out, rows, ARRAY_LEN(rows));
}

static int put_control(struct hub *h, struct buf *out)
{
	const struct httpd_counters *a = httpd_counters(h->admin);
	const uint64_t *l = h->n.control_limits;
	const struct metric rows[] = {
		{ "hub_control_sessions", gauge, "Open control connections.", h->n_sessions },
		{ "hub_control_sessions_total", counter,
			"Control connections after their handshake.", h->n.sessions },
		{ "hub_control_bad_handshakes_total", counter,
			"Upgrades whose handshake was missing or wrong.", h->n.bad_handshakes },
		{ "hub_control_broken_total", counter,
			"Control connections ended by malformed bytes.", h->n.bad_sessions },
		{ "hub_control_flooded_total", counter,
			"Control connections ended because of frames that ask for nothing.",
			l[TS2021_BY_FRAMES] },
		{ "hub_control_unread_total", counter,
			"Control connections ended because they did not read what they asked for.",
			l[TS2021_BY_QUEUE] + l[TS2021_BY_STALL] },
		{ "hub_control_memory_total", counter,
			"Control connections ended because HTTP/2 took too much memory.",
			l[TS2021_BY_MEMORY] },
		{ "hub_control_slow_requests_total", counter,
			"Control connections ended because a request took too long.",
			l[TS2021_BY_TIME] },
		{ "hub_control_refused_streams_total", counter,
			"Requests refused: too many at once, or with too large headers or bodies.",
			l[TS2021_BY_STREAMS] + l[TS2021_BY_FIELDS] + l[TS2021_BY_BODIES] },
		{ "hub_control_busy_total", counter,
			"Map streams and registrations that were one too many for their control connection.",
			h->n.control_busy },
		{ "hub_control_requests_total", counter, "Requests inside control connections.",
			h->n.requests },
		{ "hub_control_unknown_total", counter, "Of these, for paths that we do not have.",
			h->n.unknown_requests },
		{ "hub_control_unanswered_total", counter,
			"Control connections closed because the program at the other end was silent.",
			h->n.unanswered },
		{ "hub_control_idle_closed_total", counter,
			"Control connections closed for idleness.", h->n.idle_closed },
		{ "hub_pages_total", counter, "Pages shown.", h->n.pages },
		{ "hub_downloads_throttled_total", counter,
			"Downloads of packages that were told to come later.",
			packages_throttled(h->packages) },
		{ "hub_logins_total", counter, "Admin logins with a link.", h->n.logins },
		{ "hub_login_failures_total", counter, "Login links that were wrong or used up.",
			h->n.login_failures },
		{ "hub_csrf_failures_total", counter, "Forms without the token of their session.",
			h->n.csrf_failures },
		{ "hub_admin_requests_total", counter, "Requests on the administration socket.",
			a->requests },
		{ "hub_admin_bad_requests_total", counter, "Of these, malformed or refused.",
			a->bad_requests },
	};
	return metrics_put(out, rows, ARRAY_LEN(rows));
}

static int put_certificate(struct hub *h, struct buf *out)
{
	struct certs_state s;

	if (!h->certs)
		return 0;
	certs_state(h->certs, &s);
	const struct metric rows[] = {
		{ "hub_certificate_expires_seconds", gauge,
			"When the certificate expires, in seconds since 1970.",
			(uint64_t)MAX_OF(s.not_after / 1000, 0) },
		{ "hub_certificate_expired", gauge, "1: it has expired, and devices refuse it.",
			s.expired },
		{ "hub_certificate_expires_soon", gauge,
			"1: it expires within 14 days, or a quarter of its life.", s.soon },
		{ "hub_certificate_wrong_name", gauge,
			"1: it is not for the name in --url, and devices refuse it.",
			s.wrong_name },
		{ "hub_certificate_reloads_total", counter, "Times that its files were read anew.",
			s.reloads },
		{ "hub_certificate_reload_failures_total", counter,
			"Times that they could not be, and the one of before stayed.", s.failures },
	};
	return metrics_put(out, rows, ARRAY_LEN(rows));
}

static int put_verify(const struct hub *h, struct buf *out)
{
	const struct metric rows[] = {
		{ "hub_verify_total", counter,
			"Questions of other relays whether a key is a device's.",
			h->n.verify_requests },
		{ "hub_verify_refused_total", counter, "Of these, answered with no.",
			h->n.verify_refused },
		{ "hub_verify_throttled_total", counter,
			"Further ones that came too fast from one source.", h->n.verify_throttled },
	};
	return metrics_put(out, rows, ARRAY_LEN(rows));
}

static int put_policy(struct hub *h, struct buf *out)
{
	const struct coord_policy_version *v = coord_policy_current(h->tailnet);
	const struct metric rows[] = {
		{ "hub_policy_version", gauge,
			"Version of the policy in force; 0: none, all is allowed.",
			v ? (uint64_t)v->id : 0 },
		{ "hub_policy_changes_total", counter, "Policies that came into force.",
			h->n.policy_changes },
		{ "hub_policy_refused_total", counter,
			"Policies that were refused for a fault or a failed test.",
			h->n.policy_refused },
		{ "hub_api_requests_total", counter, "Requests for /api/v2.", h->n.api_requests },
		{ "hub_api_denied_total", counter, "Of these, without a valid token.",
			h->n.api_denied },
		{ "hub_login_codes_wrong_total", counter,
			"Looks at login codes that nothing waits with.", h->n.codes_missed },
		{ "hub_login_codes_throttled_total", counter,
			"Looks at login codes that were not answered, because this source or all showed too many wrong ones.",
			h->n.codes_throttled },
		{ "hub_api_throttled_total", counter,
			"Of these, from sources with too many such requests.", h->n.api_throttled },
	};
	return metrics_put(out, rows, ARRAY_LEN(rows));
}

static int put_git(struct hub *h, struct buf *out)
{
	struct git_status s;

	if (!h->git)
		return 0;
	git_status(h, &s);
	const struct git_counters *n = git_counters(h);
	const struct metric rows[] = {
		{ "hub_policy_git_applied", gauge,
			"1 when the head of the policy's repository is in force.",
			s.state == GIT_APPLIED },
		{ "hub_policy_git_refused", gauge, "1 when the head is refused as a policy.",
			s.state == GIT_REFUSED },
		{ "hub_policy_git_read_seconds", gauge,
			"When the repository was read last, in Unix time.",
			(uint64_t)s.pulled / 1000 },
		{ "hub_policy_git_pulls_total", counter, "Looks at the repository.", n->pulls },
		{ "hub_policy_git_failures_total", counter, "Of these, that could not read it.",
			n->failures },
		{ "hub_policy_git_begun_anew_total", counter,
			"Times that the copy of the repository had grown too large and was emptied.",
			n->begun_anew },
		{ "hub_policy_git_webhooks_total", counter, "Webhooks with a good signature.",
			n->webhooks },
		{ "hub_policy_git_bad_signatures_total", counter, "Webhooks without.",
			n->bad_signatures },
	};
	return metrics_put(out, rows, ARRAY_LEN(rows));
}

int metrics_print(struct hub *h, struct buf *out)
{
	int rc = put_engine(h, out);

	if (rc == 0)
		rc = put_maps(h, out);
	if (rc == 0)
		rc = put_store(h, out);
	if (rc == 0)
		rc = put_listeners(h, out);
	if (rc == 0)
		rc = put_control(h, out);
	if (rc == 0)
		rc = put_ledger(h, out);
	if (rc == 0)
		rc = put_certificate(h, out);
	if (rc == 0)
		rc = put_policy(h, out);
	if (rc == 0)
		rc = put_git(h, out);
	if (rc == 0)
		rc = put_verify(h, out);
	return rc < 0 ? rc : relay_metrics(h->relay, out);
}
