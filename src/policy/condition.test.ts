import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JsonObject } from '../model/json.ts';
import { compileCondition, conditionPrincipal } from './condition.ts';
import type { Condition, Verdict } from './condition.ts';
import { nowMs, principal } from './test-kit.ts';

function condition(text: string): Condition {
  const compiled = compileCondition(text);
  assert.ok(compiled.ok, compiled.ok ? '' : compiled.fault.message);
  return compiled.condition;
}

function fault(text: string): string {
  const compiled = compileCondition(text);
  assert.ok(!compiled.ok, `${text} should not compile`);
  return compiled.fault.message;
}

function verdict(text: string, claims: JsonObject = {}, groups: readonly string[] = []): Verdict {
  const operation = { action: 'read', resourceType: 'topic', resource: 'payments.eu', partition: 3, port: 'orders' };
  return condition(text).evaluate(conditionPrincipal(principal({ claims, groups })), operation, nowMs);
}

describe('conditions', () => {
  it('see the principal, the operation and the time', () => {
    assert.equal(verdict('principal.id == "alice" && principal.kind == "user" && principal.issuer == "corp"'), 'true');
    assert.equal(verdict('"eng" in principal.groups', {}, ['eng']), 'true');
    assert.equal(verdict('principal.claims.mfa == true', { mfa: true }), 'true');
    assert.equal(verdict('principal.claims.level >= 2 && int(principal.claims.level) % 2 == 1', { level: 3 }), 'true');
    assert.equal(
      verdict('principal.claims["https://x.y/z"].exists(role, role.startsWith("adm"))', {
        'https://x.y/z': ['user', 'admin'],
      }),
      'true',
    );
    assert.equal(verdict('has(principal.claims.a.b) && !has(principal.claims.a.c)', { a: { b: 1 } }), 'true');
    assert.equal(
      verdict('operation.action == "read" && operation.resourceType == "topic" && operation.resource.endsWith(".eu")'),
      'true',
    );
    assert.equal(verdict('operation.partition == 3 && operation.port == "orders"'), 'true');
    assert.equal(verdict('now > timestamp("2027-01-15T11:59:59Z") && now < timestamp("2027-01-15T12:00:01Z")'), 'true');
    assert.equal(verdict('now.getHours("Europe/Berlin") == 13 && now.getDayOfWeek() == 5'), 'true');
    assert.equal(verdict('principal.id.matches("^a[a-z]+$")'), 'true');
  });

  it('are errors where they cannot be evaluated or are no bool', () => {
    assert.equal(verdict('principal.claims.mfa == true'), 'error');
    assert.equal(verdict('principal.claims.mfa', { mfa: 'yes' }), 'error');
    assert.equal(verdict('principal.claims.level', { level: 1 }), 'error');
    assert.equal(verdict('1 / 0 == 1'), 'error');
    assert.equal(verdict('principal.claims.mfa && false', {}), 'false', 'CEL: false absorbs the error');
  });

  it('find in claims only what the token says', () => {
    for (const name of ['constructor', 'toString', '__proto__', 'hasOwnProperty', 'size', 'get']) {
      assert.equal(verdict(`has(principal.claims.${name})`), 'false', name);
      assert.equal(verdict(`"${name}" in principal.claims`), 'false', name);
    }
    assert.equal(
      verdict(
        'principal.claims.constructor == "x"',
        JSON.parse('{"constructor":"x","__proto__":{"admin":true}}') as JsonObject,
      ),
      'true',
    );
    assert.equal(
      verdict('has(principal.claims.admin)', JSON.parse('{"__proto__":{"admin":true}}') as JsonObject),
      'false',
    );
  });

  it('are settled once where they speak of the principal only', () => {
    assert.equal(condition('principal.claims.mfa').perOperation, false);
    assert.equal(condition('true').perOperation, false);
    assert.equal(condition('principal.groups.exists(operations, operations == "x")').perOperation, false);
    assert.equal(condition('principal.claims.mfa || operation.action == "read"').perOperation, true);
    assert.equal(condition('now < timestamp("2030-01-01T00:00:00Z")').perOperation, true);
    assert.equal(condition('principal.groups.exists(g, g == operation.resource)').perOperation, true);
    assert.equal(condition('{"a": operation.action}["a"] == "read"').perOperation, true);
    assert.equal(condition('[now].size() == 1').perOperation, true);
    assert.equal(condition('has(operation.action)').perOperation, true);
  });

  it('name only what exists', () => {
    assert.match(fault('pricipal.id == "a"'), /Unknown name "pricipal".*Did you mean "principal"\?/);
    assert.match(fault('principal.group == "a"'), /principal has no "group"\. Did you mean "groups"\?/);
    assert.match(fault('operation.topic == "a"'), /operation has no "topic"/);
    assert.match(fault('has(principal.mfa)'), /principal has no "mfa"/);
    assert.match(fault('now.foo == 1'), /now has no "foo"/);
    assert.match(fault('principal.id.startWith("a")'), /Unknown function "startWith".*Did you mean "startsWith"\?/);
    assert.match(fault('google.protobuf.Timestamp{seconds: 1} == now'), /Messages cannot be made|Unknown name/);
    assert.match(fault('principal.groups.exists(now, now == "x")'), /"now" already has a meaning/);
  });

  it('hold no literal that could only fail', () => {
    assert.match(
      fault('principal.id.matches("[")'),
      /"\[" cannot be used in matches\(\)\. Write a regular expression in RE2 syntax/,
    );
    assert.match(fault('principal.id.matches("(?=a)")'), /RE2/);
    assert.match(fault('now < timestamp("2027-13-01")'), /Write a time as/);
    assert.match(fault('now.getHours("Europe/Nowhere") < 3'), /Write a time zone/);
    assert.match(fault('now - timestamp("2027-01-01T00:00:00Z") < duration("1 hour")'), /Write a length of time/);
  });

  it('are bounded in size and in work', () => {
    assert.match(fault(`${'principal.id == "a" || '.repeat(170)}true`), /too long: more than 500 parts/);
    assert.match(
      fault('principal.groups.exists(a, principal.groups.exists(b, a == b))'),
      /cannot stand inside another/,
    );
    assert.match(
      fault('principal.groups.map(a, principal.groups.filter(b, b == a)).size() > 0'),
      /cannot stand inside another/,
    );
    assert.match(fault('principal.groups.map(a, a).map(a, a).size() > 0'), /run over what another made/);
    assert.match(
      fault(Array.from({ length: 9 }, () => 'principal.groups.exists(a, a == "x")').join(' || ')),
      /At most 8 loops/,
    );
    assert.match(fault('principal.id.matches(principal.claims.pattern)'), /must be written out here/);
    assert.match(fault(`principal.id.matches("${'a'.repeat(257)}")`), /at most 256 characters/);
    assert.match(fault(`${'('.repeat(2_000)}true${')'.repeat(2_000)}`), /nests too deeply|not valid CEL|too long/);
  });

  it('do not look at claims beyond their bound, and so grant nothing', () => {
    const many = { list: Array.from({ length: 5_000 }, (_, index) => index) };
    assert.equal(verdict('principal.claims.list.exists(x, x == 1)', many), 'error');
    assert.equal(verdict('principal.id == "alice"', many), 'true');
    assert.equal(
      verdict(
        '"g1" in principal.groups',
        {},
        Array.from({ length: 5_000 }, (_, index) => `g${index}`),
      ),
      'error',
    );
  });

  it('run in bounded time on the largest claims they may see', () => {
    const claims = { list: Array.from({ length: 4_000 }, () => 'x'.repeat(10)) };
    const started = performance.now();
    assert.equal(
      verdict(
        Array.from({ length: 8 }, () => 'principal.claims.list.map(x, x + "a").size() == 4000').join(' && '),
        claims,
      ),
      'true',
    );
    assert.ok(performance.now() - started < 5_000);
  });

  it('never run a pattern that backtracks', () => {
    const started = performance.now();
    assert.equal(verdict('principal.claims.text.matches("^(a+)+$")', { text: `${'a'.repeat(2_000)}b` }), 'false');
    assert.ok(performance.now() - started < 2_000);
  });

  it('say where a fault is', () => {
    const compiled = compileCondition('principal.id == "a" && principal.nme == "b"');
    assert.ok(!compiled.ok);
    assert.ok(compiled.fault.offset >= 23 && compiled.fault.offset <= 32, String(compiled.fault.offset));
  });
});
