/* SPDX-License-Identifier: Apache-2.0 */
/* creds_priv.h - what reading and keeping of logins share. */
#pragma once

#include "base/err.h"
#include "fetch/creds.h"

#include <jansson.h>
#include <stdbool.h>

/* What a host is called in docker's files. */
const char *creds_server(const char *host);
/* 1: root is new; 0: the file is not there, or empty. */
int creds_load(const char *path, json_t **root, struct err *e);
/* What a file says itself of name; helpers are not asked. */
bool creds_said(json_t *root, const char *name, struct creds *c);
/* The helper that a file names for the host, or NULL. Of root. */
const char *creds_helper_of(json_t *root, const char *host);
/* docker-credential-HELPER WHAT, with input; *answer may stay NULL. Negative:
 * it failed. */
int creds_helper(const char *helper, const char *what, const char *input,
		 json_t **answer);
