import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { errorCodes } from '../protocol/protocol.ts';
import { heartbeat, joinGroup, leaveGroup, syncGroup } from './group-membership.ts';
import { ask, worldOf } from './testing.ts';

const denied = errorCodes.GROUP_AUTHORIZATION_FAILED;

describe('group membership', () => {
  for (const version of [0, 9]) {
    it(`JoinGroup v${version} needs READ on the group`, async () => {
      const request = { groupId: 'billing', protocolType: 'consumer', sessionTimeoutMs: 1000 };
      const no = await ask(worldOf(['describe group billing', 'read group other']), joinGroup, version, request);
      assert.equal(no.forwarded, null);
      assert.deepEqual(
        { ...no.answer },
        {
          ...no.answer,
          errorCode: denied,
          generationId: -1,
          memberId: '',
          leader: '',
          members: [],
          protocolName: version === 0 ? '' : null,
        },
      );
      const world = worldOf(['read group billing']);
      const yes = await ask(world, joinGroup, version, request);
      assert.equal(yes.unread, true);
      assert.deepEqual(world.asked, ['read group billing']);
    });
  }

  it('Heartbeat, LeaveGroup and SyncGroup need READ on the group in every version', async () => {
    const allowed = worldOf(['read group billing']);
    for (const handler of [heartbeat, leaveGroup, syncGroup] as const) {
      for (const version of [handler.versions.min, handler.versions.max]) {
        const no = await ask(worldOf(['read topic billing']), handler as typeof heartbeat, version, {
          groupId: 'billing',
        });
        assert.equal(no.forwarded, null, `${handler.name} v${version}`);
        assert.equal(no.answer?.errorCode, denied);
        const yes = await ask(allowed, handler as typeof heartbeat, version, { groupId: 'billing' });
        assert.equal(yes.unread, true);
      }
    }
  });

  it('refuses the whole with the code given', async () => {
    const { request } = { request: (await ask(worldOf(['read group g']), heartbeat, 4, { groupId: 'g' })).forwarded };
    assert.ok(request !== null);
    assert.deepEqual(heartbeat.refuse(request, 15, 4), { errorCode: 15 });
  });
});
