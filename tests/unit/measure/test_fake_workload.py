from contracts.workload import WorkloadContract
from fakes.measuring import FakeTime, FakeWorkload


class TestFakeWorkload(WorkloadContract):
    def make(self):
        return FakeWorkload(FakeTime())

    def an_input(self):
        return 5


class TestFakeCoroutineWorkload(WorkloadContract):
    def make(self):
        return FakeWorkload(FakeTime(), is_async=True)

    def an_input(self):
        return 5


class TestFakeDeviceWorkload(WorkloadContract):
    def make(self):
        return FakeWorkload(FakeTime(), device_lag_ns=7)

    def an_input(self):
        return 5
