/* SPDX-License-Identifier: Apache-2.0 */
/* Templates as docker's users write them, and what docker makes of them. */
#include "cli/tmpl.h"

#include "base/auto.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char box[] =
	"{\"Id\":\"0123456789ab\",\"Name\":\"/job\","
	"\"State\":{\"Status\":\"running\",\"Running\":true,\"Pid\":42,"
	"\"ExitCode\":0,\"Health\":{\"Status\":\"healthy\"}},"
	"\"Config\":{\"Env\":[\"A=1\",\"B=2\"],\"Healthcheck\":null,"
	"\"Labels\":{\"a.b\":\"c\",\"z\":\"y\"},\"Cmd\":[]},"
	"\"NetworkSettings\":{\"Ports\":{\"80/tcp\":[{\"HostIp\":\"0.0.0.0\","
	"\"HostPort\":\"8080\"}],\"443/tcp\":null}},"
	"\"Cpu\":0.25,\"Big\":1234567.0,\"Null\":null,\"Html\":\"<a&b>\"}";

static struct err e;

/* The text, or the error's; valid until the next call. */
static const char *with(const char *json, const char *template)
{
	static char *last;
	json_t *v = json_loads(json, JSON_DECODE_ANY, NULL);
	struct tmpl *t;

	assert_non_null(v);
	free(last);
	last = NULL;
	e = (struct err){ 0 };
	t = tmpl_new(template, &e);
	if (t && tmpl_text(t, v, &last, &e) < 0)
		assert_null(last);
	tmpl_free(t);
	json_decref(v);
	assert_true(last || e.code);
	return last ? last : e.msg;
}

static const char *of(const char *template)
{
	return with(box, template);
}

struct pair {
	const char *template, *text;
};

static void compare_all(const struct pair *all, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *got = of(all[i].template);

		if (strcmp(got, all[i].text) != 0)
			print_error("%s\n", all[i].template);
		assert_string_equal(got, all[i].text);
		assert_int_equal(e.code, 0);
	}
}

#define TABLE(all) compare_all(all, ARRAY_LEN(all))

static void what_clients_pass(void **state)
{
	static const struct pair all[] = {
		{ "{{.State.Status}}", "running" },
		{ "{{range .Config.Env}}{{println .}}{{end}}", "A=1\nB=2\n" },
		{ "{{json .Config.Env}}", "[\"A=1\",\"B=2\"]" },
		{ "{{json .State.Health}}", "{\"Status\":\"healthy\"}" },
		{ "{{.Id}} {{.State.Status}}", "0123456789ab running" },
		{ "{{if .Config.Healthcheck}}{{print .State.Health.Status}}"
		  "{{end}}",
		  "" },
		{ "{{if .State.Health}}{{print .State.Health.Status}}{{end}}",
		  "healthy" },
		{ "{{index .Config.Labels \"a.b\"}}", "c" },
		{ "{{index .Config.Labels \"none\"}}", "" },
		{ "{{(index (index .NetworkSettings.Ports \"80/tcp\") "
		  "0).HostPort}}",
		  "8080" },
		{ "{{range $p, $conf := .NetworkSettings.Ports}}{{$p}} "
		  "{{end}}",
		  "443/tcp 80/tcp " },
		{ "{{range $p, $conf := .NetworkSettings.Ports}}{{if $conf}}"
		  "{{$p}} -> {{(index $conf 0).HostPort}}{{end}}{{end}}",
		  "80/tcp -> 8080" },
		{ "{{.State.Pid}}:{{.State.ExitCode}}:{{.State.Running}}",
		  "42:0:true" },
		{ "{{json .State.Running}}", "true" },
	};

	(void)state;
	TABLE(all);
	assert_string_equal(with("{\"a\":[1,null],\"b\":{}}", "{{.}}"),
			    "map[a:[1 <nil>] b:map[]]");
	assert_string_equal(with("{\"a\":[1]}", "{{json .}}"), "{\"a\":[1]}");
	assert_string_equal(with("\"x\"", "."), ".");
}

static void text_and_white_space(void **state)
{
	static const struct pair all[] = {
		{ "", "" },
		{ "plain } }} {", "plain } }} {" },
		{ "a {{- 1 -}} b", "a1b" },
		{ "a \n{{- \"x\" }} b", "ax b" },
		{ "a{{/* {{no}} */}}b", "ab" },
		{ "a {{- /* no */ -}} b", "ab" },
		{ "{{ \"a\\tb\\x41\\u00e9\\\"\" }}", "a\tbA\xc3\xa9\"" },
		{ "{{`raw\\n\"`}}", "raw\\n\"" },
		{ "{{.Id}}\\t{{.Name}}", "0123456789ab\\t/job" },
		{ "{{-3}} {{- -3}}", "-3-3" },
	};

	(void)state;
	TABLE(all);
}

static void statements(void **state)
{
	static const struct pair all[] = {
		{ "{{if .Null}}a{{else if .Config.Cmd}}b{{else}}c{{end}}",
		  "c" },
		{ "{{if 0}}a{{else if 1}}b{{else}}c{{end}}", "b" },
		{ "{{range .Config.Cmd}}x{{else}}none{{end}}", "none" },
		{ "{{range .Null}}x{{else}}none{{end}}", "none" },
		{ "{{range $i, $e := .Config.Env}}{{$i}}={{$e}},{{end}}",
		  "0=A=1,1=B=2," },
		{ "{{range $e := .Config.Env}}{{$e}},{{end}}", "A=1,B=2," },
		{ "{{range $k, $v := .Config.Labels}}{{$k}}:{{$v}} {{end}}",
		  "a.b:c z:y " },
		{ "{{with .State}}{{.Pid}}{{$.Name}}{{end}}", "42/job" },
		{ "{{with $x := .State.Pid}}{{$x}}{{.}}{{end}}", "4242" },
		{ "{{with .Null}}a{{else}}b{{end}}", "b" },
		{ "{{with .Null}}a{{else with .Name}}{{.}}{{end}}", "/job" },
		{ "{{$x := 1}}{{if true}}{{$x = 2}}{{end}}{{$x}}", "2" },
		{ "{{$x := 1}}{{if true}}{{$x := 2}}{{end}}{{$x}}", "1" },
		{ "{{range 5}}{{if eq . 1}}{{continue}}{{end}}"
		  "{{if eq . 3}}{{break}}{{end}}{{.}}{{end}}",
		  "02" },
		{ "{{range 2}}{{range 2}}{{break}}{{end}}{{.}}{{end}}", "01" },
		{ "{{$n := 0}}{{range $i, $e := .Config.Env}}{{$n = $i}}"
		  "{{end}}{{$n}}",
		  "1" },
	};

	(void)state;
	TABLE(all);
}

static void fields_that_are_not_there(void **state)
{
	static const struct pair all[] = {
		{ "{{.Config.Labels.nope}}", "<no value>" },
		{ "{{.Null}}", "<no value>" },
		{ "{{print .Null}}", "<nil>" },
		{ "{{if .Mounts}}a{{end}}", "" },
		{ "{{json .Config.Healthcheck}}", "null" },
	};

	(void)state;
	TABLE(all);
	assert_string_equal(of("{{.Foo}}"),
			    "template parsing error: template: :1:2: executing "
			    "\"\" at <.Foo>: map has no entry for key \"Foo\"");
	assert_string_equal(of("{{.State.Foo}}"),
			    "template parsing error: template: :1:8: executing "
			    "\"\" at <.State.Foo>: map has no entry for key "
			    "\"Foo\"");
	assert_non_null(strstr(of("a\n {{.Foo}}"), "template: :2:4: "));
	assert_non_null(strstr(of("{{.Null.Foo}}"), "nil pointer evaluating"));
	assert_non_null(strstr(of("{{.Name.Foo}}"),
			       "can't evaluate field Foo in type string"));
	assert_non_null(strstr(of("{{.Name.Foo 1}}"), "can't give argument"));
}

static void functions(void **state)
{
	static const struct pair all[] = {
		{ "{{eq 1 1}}{{ne 1 2}}{{lt 1 2}}{{le 2 2}}{{gt 1 2}}{{ge 1 "
		  "2}}",
		  "truetruetruetruefalsefalse" },
		{ "{{eq .Name \"/x\" \"/job\"}}", "true" },
		{ "{{eq .Null nil}}{{lt \"a\" \"b\"}}", "truetrue" },
		{ "{{and 1 0 .Foo}}{{or 0 2 .Foo}}{{not 1}}", "02false" },
		{ "{{if and .State (eq .State.Pid 42)}}y{{end}}", "y" },
		{ "{{len .Config.Env}}{{len .Name}}{{.Config.Labels | len}}",
		  "242" },
		{ "{{index .Config.Env 1}}", "B=2" },
		{ "{{slice .Name 1}} {{slice .Name 1 3}}", "job jo" },
		{ "{{slice .Config.Env 1}}", "[B=2]" },
		{ "{{print 1 2 \"a\" 3}}", "1 2a3" },
		{ "{{println \"a\" 1}}", "a 1\n" },
		{ "{{json .Html}}", "\"<a&b>\"" },
		{ "{{join .Config.Env \",\"}}", "A=1,B=2" },
		{ "{{split \"a:b\" \":\"}}{{split \"ab\" \"\"}}",
		  "[a b][a b]" },
		{ "{{index (split .Name \"/\") 1}}", "job" },
		{ "{{lower \"ABc\"}}{{upper \"abC\"}}{{title \"ab cd\"}}",
		  "abcABCAb Cd" },
		{ "{{pad \"x\" 1 2}}|{{pad \"\" 1 2}}|", " x  ||" },
		{ "{{truncate .Id 4}}{{truncate \"ab\" 9}}", "0123ab" },
		{ "{{.Name | printf \"%s-%d\" \"a\" | upper}}",
		  "A-%!D(STRING=/JOB)" },
		{ "{{print}}{{print `a` | len}}", "1" },
	};

	(void)state;
	TABLE(all);
	assert_non_null(strstr(of("{{index .Config.Env 2}}"),
			       "error calling index: index out of range: 2"));
	assert_non_null(strstr(of("{{index .Config.Env -1}}"),
			       "index out of range: -1"));
	assert_non_null(strstr(of("{{index .Null 0}}"), "untyped nil"));
	assert_non_null(strstr(of("{{eq 1 \"a\"}}"), "incompatible types"));
	assert_non_null(strstr(of("{{eq .State 1}}"), "uncomparable type map"));
	assert_non_null(strstr(of("{{len 3}}"), "len of type int"));
	assert_non_null(strstr(of("{{len}}"),
			       "wrong number of args for len: want 1 got 0"));
	assert_non_null(strstr(of("{{range 1.5}}{{end}}"),
			       "range can't iterate over float64"));
}

static void formats(void **state)
{
	static const struct pair all[] = {
		{ "{{printf \"%s|%5s|%-5s|%.2s\" \"a\" \"b\" \"c\" \"def\"}}",
		  "a|    b|c    |de" },
		{ "{{printf \"%d|%5d|%05d|%-4d|%+d|%x\" 1 2 -3 4 5 255}}",
		  "1|    2|-0003|4   |+5|ff" },
		{ "{{printf \"%v %v %v %v\" .Config.Env true 1.5 .Null}}",
		  "[A=1 B=2] true 1.5 <nil>" },
		{ "{{printf \"%q %t%% %.1f\" \"a\\\"b\" false 2.25}}",
		  "\"a\\\"b\" false% 2.2" },
		{ "{{printf \"%d\"}}", "%!d(MISSING)" },
		{ "{{printf \"x\" 1 \"a\"}}", "x%!(EXTRA int=1, string=a)" },
		{ "{{printf \"%d\" \"a\"}}", "%!d(string=a)" },
		{ "{{printf \"%\"}}", "%!(NOVERB)" },
		{ "{{.Cpu}} {{.Big}} {{1e20}} {{1e-7}}",
		  "0.25 1.234567e+06 1e+20 1e-07" },
		{ "{{printf \"%5s|\" \"\xc3\xa9\"}}", "    \xc3\xa9|" },
	};

	(void)state;
	TABLE(all);
}

static void labels(void **state)
{
	static const char row[] = "{\"Labels\":\"a.b=1,c=2,ca=3\"}";

	(void)state;
	assert_string_equal(with(row, "{{.Label \"a.b\"}}{{.Label \"ca\"}}"
				      "{{.Label \"x\"}}"),
			    "13");
	assert_string_equal(with(row, "{{range 1}}{{$.Label \"c\"}}{{end}}"),
			    "2");
}

static void mistakes(void **state)
{
	static const struct pair all[] = {
		{ "{{.Foo", "unclosed action" },
		{ "{{", "unclosed action" },
		{ "{{}}", "missing value for command" },
		{ "{{if}}a{{end}}", "missing value for if" },
		{ "{{if 1}}", "unexpected EOF" },
		{ "{{end}}", "unexpected {{end}}" },
		{ "{{else}}", "unexpected {{else}}" },
		{ "{{if 1}}{{else}}{{else}}{{end}}", "unexpected {{else}}" },
		{ "{{foo}}", "function \"foo\" not defined" },
		{ "{{$x}}", "undefined variable \"$x\"" },
		{ "{{if 1}}{{$x := 1}}{{end}}{{$x}}", "undefined variable" },
		{ "{{$x := $x}}", "undefined variable" },
		{ "{{$x, $y := 1}}", "undefined variable" },
		{ "{{\"abc}}", "unterminated quoted string" },
		{ "{{`abc}}", "unterminated raw quoted string" },
		{ "{{\"\\z\"}}", "bad value" },
		{ "{{1x}}", "bad value" },
		{ "{{(1}}", "unexpected \"}}\" in operand" },
		{ "{{1)}}", "unexpected \")\" in operand" },
		{ "{{1 |}}", "missing value for command" },
		{ "{{.A#}}", "unexpected character" },
		{ "{{nil}}", "nil is not a command" },
		{ "{{break}}", "outside {{range}}" },
		{ "{{/* a }}", "unclosed comment" },
		{ "{{1\"a\"}}", "in operand" },
		{ "{{define \"x\"}}{{end}}",
		  "function \"define\" not defined" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		const char *got = of(all[i].template);

		if (!e.code || !strstr(got, all[i].text))
			print_error("%s: %s\n", all[i].template, got);
		assert_int_equal(e.code, EINVAL);
		assert_non_null(strstr(got, all[i].text));
		assert_non_null(strstr(got, "template parsing error: "));
	}
	assert_non_null(strstr(of("\n\n{{foo}}"), "template: :3: "));
}

/* count times part, then rest as often; the caller frees. */
static char *repeated(const char *part, const char *rest, int count)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	for (int i = 0; i < count; i++)
		fputs(part, f);
	for (int i = 0; i < count; i++)
		fputs(rest, f);
	fclose(f);
	return text;
}

static void bounds(void **state)
{
	static const char *const deep[][2] = {
		{ "{{if 1}}", "{{end}}" },
		{ "{{range 100}}", "{{end}}" },
		{ "{{if 0}}{{else if 1}}", "{{end}}" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(deep); i++) {
		autofree char *text = repeated(deep[i][0], deep[i][1], 60);

		assert_non_null(strstr(of(text), "nested too deeply"));
	}
	of("{{range 1000}}{{range 1000}}{{range 1000}}{{end}}{{end}}{{end}}");
	assert_int_equal(e.code, EINVAL);
	of("{{$x := `abcdefgh`}}{{range 40}}{{$x = print $x $x}}{{end}}");
	assert_non_null(strstr(e.msg, "too much text"));
	of("{{range 4000}}{{printf `%04000d` 1}}{{end}}");
	assert_int_equal(e.code, 0);
	{
		autofree char *args = repeated(" 1", "", 40);
		char text[200];

		snprintf(text, sizeof(text), "{{print%s}}", args);
		assert_non_null(strstr(of(text), "too many arguments"));
	}
	{
		autofree char *junk = repeated("x", "", 70000);

		assert_non_null(strstr(of(junk), "longer than"));
	}
}

static void prints_a_line(void **state)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	json_t *v = json_pack("{si}", "A", 1);

	(void)state;
	assert_int_equal(tmpl_print(f, "{{.A}}", v, &e), 0);
	assert_int_equal(tmpl_print(f, "x{{.B}}", v, &e), -EINVAL);
	fclose(f);
	assert_string_equal(text, "1\n");
	free(text);
	json_decref(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_clients_pass),
		cmocka_unit_test(text_and_white_space),
		cmocka_unit_test(statements),
		cmocka_unit_test(fields_that_are_not_there),
		cmocka_unit_test(functions),
		cmocka_unit_test(formats),
		cmocka_unit_test(labels),
		cmocka_unit_test(mistakes),
		cmocka_unit_test(bounds),
		cmocka_unit_test(prints_a_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
