from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pytest_costguard.host.cgroup import ControlGroups, parse_memberships


def test_version_2_limits_are_read_from_the_own_group(tree):
    groups = ControlGroups.locate(
        tree(
            {
                "proc/self/cgroup": "0::/job\n",
                "sys/fs/cgroup/job/cpu.max": "150000 100000\n",
                "sys/fs/cgroup/job/memory.max": "2147483648\n",
                "sys/fs/cgroup/job/cpu.stat": "usage_usec 9\nthrottled_usec 2500000\n",
            }
        )
    )
    assert groups.cpu_limit_cores() == 1.5
    assert groups.memory_limit_bytes() == 2**31
    assert groups.throttled_seconds() == 2.5


def test_version_1_limits_are_read_from_each_controller(tree):
    groups = ControlGroups.locate(
        tree(
            {
                "proc/self/cgroup": "4:memory:/job\n3:cpu,cpuacct:/job\n0::/\n",
                "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us": "50000\n",
                "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us": "100000\n",
                "sys/fs/cgroup/cpu,cpuacct/job/cpu.stat": "throttled_time 3000000000\n",
                "sys/fs/cgroup/memory/job/memory.limit_in_bytes": "1073741824\n",
            }
        )
    )
    assert groups.cpu_limit_cores() == 0.5
    assert groups.memory_limit_bytes() == 2**30
    assert groups.throttled_seconds() == 3.0


def test_no_limit_is_none_in_both_versions(tree):
    groups = ControlGroups.locate(
        tree(
            {
                "proc/self/cgroup": "4:memory:/\n0::/\n",
                "sys/fs/cgroup/cpu.max": "max 100000\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            }
        )
    )
    assert groups.cpu_limit_cores() is None
    assert groups.memory_limit_bytes() is None
    assert groups.throttled_seconds() is None


def test_a_limit_of_a_group_further_out_binds(tree):
    groups = ControlGroups.locate(
        tree(
            {
                "proc/self/cgroup": "0::/pod/container\n",
                "sys/fs/cgroup/pod/container/cpu.max": "400000 100000\n",
                "sys/fs/cgroup/pod/cpu.max": "200000 100000\n",
            }
        )
    )
    assert groups.cpu_limit_cores() == 2.0


def test_a_path_of_the_host_seen_in_a_container_means_what_is_mounted(tree):
    groups = ControlGroups.locate(
        tree(
            {
                "proc/self/cgroup": "0::/docker/1234\n",
                "sys/fs/cgroup/cpu.max": "100000 100000\n",
            }
        )
    )
    assert groups.cpu_limit_cores() == 1.0


def test_a_path_out_of_the_namespace_is_not_followed(tree):
    groups = ControlGroups.locate(
        tree(
            {
                "proc/self/cgroup": "0::/../elsewhere\n",
                "sys/fs/elsewhere/cpu.max": "700000 100000\n",
                "sys/fs/cgroup/cpu.max": "100000 100000\n",
            }
        )
    )
    assert groups.cpu_limit_cores() == 1.0


def test_a_machine_without_groups_has_no_limits(tree):
    assert ControlGroups.locate(tree({})) == ControlGroups(cpu=(), memory=())


@given(st.text(alphabet=":/,.0\n\0abcpu "))
def test_no_membership_file_makes_it_raise(text: str):
    assert all(path.startswith("/") for path in parse_memberships(text).values())
