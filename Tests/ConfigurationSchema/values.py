"""What is tried for each option: texts at the edges of what it takes, and beyond."""

WHOLE = [
    '', ' ', '0', '00', '0_0', '1', '01', '1_0', '1__0', '_1', '1_', '-1', '+1', '1.0', '1.', '.5', '1e3', '0x10', '0o7',
    '١', 'x', 'auto', '1 ', '64', '65', '9999', '10000', '10001', '10_000', '1_000_0', '99999', '100000', '4194304',
    '4194305', '4_194_304', '999999', '1000000', '1_000_000', '1000001', '4294967295', '4294967296',
    '18446744073709551615', '18446744073709551616', '18_446_744_073_709_551_615', '0' * 30 + '7', '9' * 19, '9' * 20,
    '9' * 21,
]
SIZE = WHOLE + [
    '1048575', '1048576', '1_048_575', '1_048_576', '1023K', '1024K', '1023k', '1023.9K', '1024.0K', '0K', '0.0K', '0M', '1M',
    '1.M', '1.5M', '1MiB', '1miB', '1MB', '1MIB', '1iB', 'iB', 'M', 'K1', '1Q', '1 M', '1MM', '1.2.3G', '.5G', '0.5G', '1_5.5G',
    '16777215T', '16777216T', '17179869183G', '17179869184G', '17592186044415M', '17592186044416M',
    '18014398509481983K', '18014398509481984K', '8185452.5T', '8185451.5T', '8388607.5T', '8388608.5T',
    '99999999999999999999T', '0%', '25%', '12.5%', '100%', '100.0%', '100.1%', '101%', '1_0%', '%', '-5%', '00100%', 'infinity',
]
TIME = WHOLE + [
    '0.5', '200ms', '30s', '10min', '2m', '1h', '1d', '250us', '1.5h', '1sm', '1 s', 's', 'ms', '1S', '1ns', '1_0s',
    '299999999', '300000000', '299999999.9', '299999999999ms', '300000000000ms', '299999999999999us', '300000000000000us',
    '4999999min', '5000000min', '4999999.9m', '5000000m', '83332.9h', '83334h', '3471.9d', '3473d', '1.2.3s', '.5s', '5.s',
    '0s', '0.0ms', '0_0', '00.5',
]
FAILURES = WHOLE + [
    '5/60', '0/60', '5/0', '5/0.0', '5/0.1', '5/', '/60', '/', '5/60/1', '999999/1', '1000000/1', '5/1min', '5/x', '0_0/1', '5 / 6',
    '1_0/1', '5.0/1', '5/-1', '05/01',
]
PRESSURE = WHOLE + [
    '1/2', '300ms/2', '0/2', '0.0/2', '1/10', '1/10.0', '1/10.1', '1/11', '0.1/0.5', '0.1/0.49', '100ms/500ms',
    '100ms/499ms', '1/10000ms', '1/10001ms', '1/9999.9ms', '1/10000.0ms', '100us/500000us', '100us/499999us', '1us/10000000us',
    '1us/10000001us', '1/2/3', '1/', '/2', '1/2s', '1/1.5s', '1/1h', '1/1min', '1/x', '0.1/00.5s', '1 /2',
]
PROCESSORS = WHOLE + [
    '0.5', '1.5', '0.01', '0.009', '0.00999', '0.0098', '0.00', '0.000', '0.010', '99999.9', '100000.0', '100000.1', '50%',
    '500m', '1.2.3', '00.5', '0.001', '10_0', '1_5',
]
SIGNAL = WHOLE + [
    'TERM', 'term', 'Term', 'SIGTERM', 'sigterm', 'SIGSIGTERM', 'SIG', 'SIG15', 'TERM ', 'KILL', 'USR1', 'usr2', 'HUP', 'QUIT',
    'ABRT', 'ALRM', 'CONT', 'WINCH', 'INT', 'STOP', 'USR3', 'RTMIN',
]
MASK = WHOLE + ['027', '0', '777', '778', '0777', '1000', '00000777', '8', '0o27', '0888', '7_7', '77']
FLAG = ['', 'true', 'false', 'yes', 'no', 'on', 'True', 'FALSE', '0', '1', 'truer']
PLAIN = ['', 'x', '5', '1.5', 'true', '/a b', 'é', 'a\nb']
USER = ['', ':', 'root', 'root:', ':root', 'root:root', '0', '0:0', 'a:b:c', 'root:root:', '-1', '12:34']
NAME = [
    '', '.', '..', '...', '.a', 'a', 'a.', 'a/b', '/', 'supervisor', 'supervisors', 'a\nb', 'a\n', 'a\x7fb', 'a\x85b', 'a\tb', 'a b',
    'é', 'a' * 200, 'a' * 201, '5', 'true',
]
PATH = ['', '/', 'a', 'a/', '/a', '..', '/..', '../a', 'a/../b', 'a/..', '..a', 'a..', '/a/..b', 'none', '5', 'a\nb', '/a\n']
OUTPUT = ['', 'inherit', 'prefix', 'journal', 'prefixed', './log', '/', 'log', 'Inherit', 'a/\n', '5']
LISTEN = [
    '', 'tcp://', 'tcp://127.0.0.1:80', 'tcp://127.0.0.1', 'tcp://127.0.0.1:', 'tcp://127.0.0.1:0', 'tcp://127.0.0.1:65535',
    'tcp://127.0.0.1:65536', 'tcp://127.0.0.1:080', 'tcp://256.0.0.1:80', 'tcp://255.249.199.99:1', 'tcp://01.0.0.1:80',
    'tcp://1.2.3:80', 'tcp://1.2.3.4.5:80', 'tcp://localhost:80', 'tcp://[::1]:80', 'tcp://[::]:80', 'tcp://::1:80',
    'tcp://[127.0.0.1]x:80', 'tcp://[]:80', 'tcp://[g::]:80', 'http=tcp://0.0.0.0:8080', 'a=b=tcp://0.0.0.0:8080',
    '=tcp://0.0.0.0:8080', 'a:b=tcp://0.0.0.0:8080', 'é=tcp://0.0.0.0:8080', 'a' * 255 + '=tcp://0.0.0.0:1',
    'a' * 256 + '=tcp://0.0.0.0:1', 'udp://0.0.0.0:1', 'TCP://0.0.0.0:1', 'unix://', 'unix:///', 'unix:///a', 'unix:///a/',
    'unix://a', 'unix:///a,mode=0660', 'unix:///a,mode=', 'unix:///a,mode=0o7', 'unix:///a,mode=+7', 'unix:///a,mode=-0',
    'unix:///a,mode=1000', 'unix:///a,mode=000777', 'unix:///a,mode=8', 'unix:///a,', 'unix:///a,x=1', 'unix:///a,mode=6,mode=7',
    'unix:///' + 'a' * 106, 'unix:///' + 'a' * 107, 'n=unix:///a', '/a', '8080', 'tcp://1.2.3.4:1_0', 'unix:///a\n',
]
DEVICE = '@DEVICE@'
IO = ['', DEVICE, f'{DEVICE},'] + [f'{DEVICE}{rest}' for rest in (
    ',rbps=10M', ' rbps=10M', ',rbps=max', ',rbps=', ',rbps=0', ',rbps=10%', ',rbps=1.5K', ',wbps=1_0', ',riops=100', ',riops=max',
    ',riops=4294967295', ',riops=4294967296', ',riops=1K', ',wiops=-1', ',xbps=1', ',Rbps=1', ', rbps=1', ',rbps=1,', ',rbps',
    ',rbps=1,wbps=2,riops=3,wiops=4', ',rbps=1 wbps=2', ',rbps=1=2', ',wbps=18446744073709551616', ',rbps=16777216T',
)] + [',rbps=1', ' ,rbps=1']

LIMITS = ['', 'x', 'infinity', 'unlimited', 'Infinity', '0', '5', '5:6', '5:', ':6', '5:6:7', '5:infinity', 'infinity:infinity', '-1', '1_0',
          '18446744073709551615', '18446744073709551616', '1.5', '1K', '1.5K:2M', '25%', '5 : 6', '4K:unlimited']
LIMIT_NAMES = ['nofile', 'NOFILE', 'RLIMIT_NOFILE', 'LimitNOFILE', 'rlimit_limitcore', 'limitrlimit_core', 'core', 'as', 'cpu', 'rttime',
               'msgqueue', 'nofiles', '', 'a=b', 'rlimit_', 'nice', 'rtprio', 'locks', 'stack', 'memlock']
VARIABLE_NAMES = ['A', '', 'A=b', 'a b', '5', 'é', 'NOTIFY_SOCKET', 'SERGEANT_SLOT', 'SERGEANT_SLOTS', 'sergeant_slot', 'PIDFILE', 'A\nB',
                  'true', '=']

WORDS = {
    'oom-policy': ('kill', 'continue'), 'restart': ('always', 'on-failure', 'never'), 'on-leftover': ('kill', 'adopt'),
    'delegate': ('auto', 'never'), 'log-format': ('auto', 'text', 'json', 'journal'),
    'log-level': ('debug', 'info', 'warning', 'error', 'critical'),
}


def words(*these):
    return ['', 'x', '5', 'true', *these, *(word.upper() for word in these), *(f'{word} ' for word in these)]


TEXTS = {
    'concurrent-workers': WHOLE, 'worker-module': PLAIN, 'worker-class': PLAIN, 'python': PLAIN, 'working-directory': PLAIN,
    'umask': MASK, 'user': USER, 'output': OUTPUT, 'max-worker-memory-usage': SIZE, 'memory-max': SIZE, 'swap-max': SIZE,
    'zswap-max': SIZE, 'group-memory-max': SIZE, 'memory-sustain': TIME, 'memory-pressure': PRESSURE, 'pids-max': WHOLE,
    'cpu-max': PROCESSORS, 'cpu-weight': WHOLE, 'io-weight': WHOLE, 'max-lifetime': TIME, 'stop-signal': SIGNAL,
    'stop-timeout': TIME, 'start-timeout': TIME, 'watchdog': TIME, 'min-ready': WHOLE, 'backoff-initial': TIME,
    'backoff-max': TIME, 'max-failures': FAILURES, 'no-new-privileges': FLAG, 'notify': FLAG, 'surge': FLAG,
    'legacy-exit-codes': FLAG, 'name': NAME, 'cgroup': PATH, 'control': PATH, 'accounting': PLAIN,
    **{name: words(*these) for name, these in WORDS.items()},
}
# Those that take one, or a list of them.
REPEATED = {'listen': LISTEN, 'io-max': IO, 'env-file': ['', '@FILE@', '5']}
# Those that take names with values.
NAMED = {'env': (VARIABLE_NAMES, PLAIN), 'rlimit': (LIMIT_NAMES, LIMITS)}
