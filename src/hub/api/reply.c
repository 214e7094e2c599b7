/* Answers of the API: every one is JSON, every error an object with "message". */
#include "hub/api/internal.h"
#include "proto/json/json.h"

#include <errno.h>
#include <stdio.h>

struct detail {
	const char *user;
	struct json_list errors, warnings;
};

struct message {
	const char *message;
	struct json_list data;
};

static const struct json_field detail_fields[] = {
	JSON_F(struct detail, user, "user", json_str, 0),
	JSON_F(struct detail, errors, "errors", json_str_list, JSON_OMIT),
	JSON_F(struct detail, warnings, "warnings", json_str_list, JSON_OMIT),
	JSON_END,
};
static JSON_OBJECT_TYPE(detail_type, struct detail, detail_fields);
static JSON_LIST_TYPE(detail_list, detail_type);
static const struct json_field message_fields[] = {
	JSON_F(struct message, message, "message", json_str, 0),
	JSON_F(struct message, data, "data", detail_list, JSON_OMIT),
	JSON_END,
};
static JSON_OBJECT_TYPE(message_type, struct message, message_fields);

int api_reply(struct http_request *q, int status, const struct json_type *t, const void *doc,
	const char *extra)
{
	char all[512];
	struct buf b;
	int rc;

	snprintf(all, sizeof(all), "%s%s", API_HEADERS, extra);
	buf_init(&b, API_ANSWER_MAX);
	rc = json_encode(t, doc, &b);
	if (rc == 0)
		rc = http_reply_send(q->reply, status, API_JSON, all, buf_view(&b));
	buf_fini(&b);
	return rc;
}

int api_refuse_with(struct http_request *q, int status, const char *text, const char *extra)
{
	struct message m = { .message = text };

	return api_reply(q, status, &message_type, &m, extra);
}

int api_refuse(struct http_request *q, int status, const char *text)
{
	return api_refuse_with(q, status, text,
		status == 401 ? "WWW-Authenticate: Basic realm=\"warren-hub\"\r\n" : "");
}

/* Why a policy is not taken, as tools show it: those for Git find the place by "line N, column M:
 * ". */
int api_reply_fault(struct http_request *q, int status, int rc, const struct policy_fault *f)
{
	struct message m = { .message = "test(s) failed" };
	struct detail *d;

	if (rc == -ERR_CONFLICT)
		return api_refuse(q, 412, "precondition failed, invalid old hash");
	if (rc != COORD_POLICY_TESTS_FAILED) {
		char text[512];

		return api_refuse(q, rc == -ENOMEM || rc == -ERR_STORE ? 500 : status,
			policy_fault_text(rc, f, text, sizeof(text)));
	}
	d = arena_array(&q->mem, f->n, sizeof(*d));
	for (size_t i = 0; d && i < f->n; i++)
		d[i] = (struct detail){ .user = f->v[i].src,
			.errors = json_list_of((void *)(uintptr_t)&f->v[i].text, 1) };
	m.data = json_list_of(d, d ? f->n : 0);
	return api_reply(q, status, &message_type, &m, "");
}
