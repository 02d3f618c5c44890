import java.io.*;
import java.lang.reflect.*;
import java.net.*;
import java.nio.channels.*;
import java.nio.file.*;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.ConcurrentHashMap;
import javax.tools.ToolProvider;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs the servers of many clusters, and Kafka's tools, in one JVM: classes are loaded and compiled once.
 *
 * <p>Takes one request in each connection to the Unix socket args[0]: a number of strings, each with its length before it.
 * Answers in the same form. The first string of a request is the command, the first of an answer says how it went.
 */
public class Host {
    /** What a tool's thread throws in place of ending the JVM. */
    static class ToolExit extends Error {
        ToolExit() {
            super(null, null, false, false);
        }
    }

    /** One run of a tool, also known to the threads that it starts. */
    static class Run {
        final ByteArrayOutputStream out = new ByteArrayOutputStream();
        final ByteArrayOutputStream err = new ByteArrayOutputStream();
        Integer status;
    }

    interface Server {
        /** At once: without handing leadership over. */
        void stop(boolean atOnce) throws Exception;
    }

    static final InheritableThreadLocal<Run> RUN = new InheritableThreadLocal<>();
    static final Map<String, Server> SERVERS = new ConcurrentHashMap<>();
    static final Map<String, Class<?>> COMPILED = new HashMap<>();

    public static void main(String[] args) throws Exception {
        System.setOut(divided(System.out, true));
        System.setErr(divided(System.err, false));
        Exit.setExitProcedure(Host::exit);
        Exit.setHaltProcedure(Host::exit);
        letNoToolEndZooKeeper();
        var socket = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        socket.bind(UnixDomainSocketAddress.of(args[0]));
        while (true) {
            SocketChannel connection = socket.accept();
            new Thread(() -> serve(connection)).start();
        }
    }

    static void serve(SocketChannel connection) {
        try (connection) {
            var in = new DataInputStream(new BufferedInputStream(Channels.newInputStream(connection)));
            List<String> request = new ArrayList<>();
            for (int left = in.readInt(); left > 0; left--) {
                request.add(new String(in.readNBytes(in.readInt()), "UTF-8"));
            }
            List<String> answer;
            try {
                answer = answer(request);
            } catch (Throwable failed) {
                var text = new StringWriter();
                failed.printStackTrace(new PrintWriter(text));
                answer = List.of("failed", text.toString());
            }
            var bytes = new ByteArrayOutputStream();
            var out = new DataOutputStream(bytes);
            out.writeInt(answer.size());
            for (String one : answer) {
                byte[] text = one.getBytes("UTF-8");
                out.writeInt(text.length);
                out.write(text);
            }
            Channels.newOutputStream(connection).write(bytes.toByteArray());
        } catch (IOException gone) {
            System.err.println("a caller went away: " + gone);
        }
    }

    static List<String> answer(List<String> request) throws Exception {
        switch (request.get(0)) {
            case "kafka":
                logTo(request.get(3));
                SERVERS.put(request.get(1), kafka(request.get(2)));
                return List.of("ok");
            case "zookeeper":
                SERVERS.put(request.get(1), zooKeeper(request.get(2)));
                return List.of("ok");
            case "stop":
                Server server = SERVERS.remove(request.get(1));
                if (server != null) server.stop(request.get(2).equals("at once"));
                return List.of("ok");
            case "tool":
                String[] args = request.subList(2, request.size()).toArray(new String[0]);
                Run run = run(request.get(1), args);
                return List.of(run.status.toString(), run.out.toString("UTF-8"), run.err.toString("UTF-8"));
            default:
                throw new IllegalArgumentException(request.get(0));
        }
    }

    /** Threads of this server inherit the place of its log. Kafka 3.9 logs in another way, and all servers to one file. */
    static void logTo(String path) throws ReflectiveOperationException {
        try {
            Class.forName("org.apache.logging.log4j.ThreadContext").getMethod("put", String.class, String.class)
                    .invoke(null, "server", path);
        } catch (ClassNotFoundException old) {
            return;
        }
    }

    static Server kafka(String config) throws Exception {
        Properties properties = new Properties();
        try (Reader reader = new FileReader(config)) {
            properties.load(reader);
        }
        String keys = properties.getProperty("sasl.oauthbearer.jwks.endpoint.url");
        if (keys != null) letTokenKeysBeRead(keys);
        Class<?> kafka = Class.forName("kafka.Kafka$");
        Method build = kafka.getDeclaredMethod("buildServer", Properties.class);
        build.setAccessible(true);
        Object server = call(() -> build.invoke(kafka.getField("MODULE$").get(null), properties));
        Call shutdown = () -> server.getClass().getMethod("shutdown").invoke(server);
        try {
            call(() -> server.getClass().getMethod("startup").invoke(server));
        } catch (Exception | Error failed) {
            // Its threads would go on. Without its peers, the one that sends for Raft needs a whole core.
            try {
                call(shutdown);
            } catch (Exception | Error later) {
                failed.addSuppressed(later);
            }
            throw failed;
        }
        return atOnce -> {
            if (atOnce) stopBroker(server);
            call(shutdown);
        };
    }

    /** Kafka reads keys only from addresses that a property of the JVM lists. */
    static synchronized void letTokenKeysBeRead(String address) {
        String name = "org.apache.kafka.sasl.oauthbearer.allowed.urls";
        String others = System.getProperty(name);
        System.setProperty(name, others == null ? address : others + "," + address);
    }

    /** Ends the broker without a controlled shutdown, which waits for the controller. */
    static void stopBroker(Object server) throws Exception {
        Object broker = server;
        try {
            Field field = server.getClass().getDeclaredField("broker");
            field.setAccessible(true);
            var option = (scala.Option<?>) field.get(server);
            if (option.isEmpty()) return;
            broker = option.get();
        } catch (NoSuchFieldException zooKeeperMode) {
            // The server itself is the broker.
        }
        Object it = broker;
        call(() -> it.getClass().getMethod("shutdown", Duration.class).invoke(it, Duration.ZERO));
    }

    static Server zooKeeper(String config) throws Exception {
        Class<?> of = Class.forName("org.apache.zookeeper.server.ZooKeeperServerMain");
        Object server = of.getConstructor().newInstance();
        Class<?> parsed = Class.forName("org.apache.zookeeper.server.ServerConfig");
        Object settings = parsed.getConstructor().newInstance();
        parsed.getMethod("parse", String.class).invoke(settings, config);
        new Thread(() -> {
            try {
                of.getMethod("runFromConfig", parsed).invoke(server, settings);
            } catch (ReflectiveOperationException failed) {
                failed.printStackTrace();
            }
        }).start();
        return atOnce -> call(() -> of.getMethod("close").invoke(server));
    }

    static Run run(String name, String[] args) throws Exception {
        Run run = new Run();
        RUN.set(run);
        try {
            Class<?> tool = name.endsWith(".java") ? compiled(name) : Class.forName(name);
            call(() -> tool.getMethod("main", String[].class).invoke(null, (Object) args));
        } catch (ToolExit ended) {
            // The status is noted.
        } catch (Throwable failed) {
            failed.printStackTrace();
            if (run.status == null) run.status = 1;
        } finally {
            System.out.flush();
            System.err.flush();
            RUN.remove();
        }
        if (run.status == null) run.status = 0;
        return run;
    }

    static synchronized Class<?> compiled(String source) throws Exception {
        Class<?> known = COMPILED.get(source);
        if (known != null) return known;
        Path into = Files.createTempDirectory(Path.of(""), "classes");
        int status = ToolProvider.getSystemJavaCompiler().run(null, null, System.err,
                "-d", into.toString(), "-cp", System.getProperty("java.class.path"), source);
        if (status != 0) throw new IllegalArgumentException(source + " does not compile");
        String name = Path.of(source).getFileName().toString().replace(".java", "");
        var loader = new URLClassLoader(new URL[] {into.toUri().toURL()}, Host.class.getClassLoader());
        Class<?> tool = loader.loadClass(name);
        COMPILED.put(source, tool);
        return tool;
    }

    /** A tool that ends sets its status. A server that gives up ends alone: its other threads go on. */
    static void exit(int status, String message) {
        Run run = RUN.get();
        if (run == null) {
            System.err.println("a server gave up with " + status + ": " + message);
            new Throwable().printStackTrace();
            throw new ToolExit();
        }
        if (run.status == null) run.status = status;
        throw new ToolExit();
    }

    static void letNoToolEndZooKeeper() throws ReflectiveOperationException {
        try {
            java.util.function.Consumer<Integer> exit = status -> exit(status, "ZooKeeper");
            Class.forName("org.apache.zookeeper.util.ServiceUtils")
                    .getMethod("setSystemExitProcedure", java.util.function.Consumer.class).invoke(null, exit);
        } catch (ClassNotFoundException none) {
            return;
        }
    }

    interface Call {
        Object now() throws ReflectiveOperationException;
    }

    /** Throws what the called method has thrown. */
    static Object call(Call call) throws Exception {
        try {
            return call.now();
        } catch (InvocationTargetException failed) {
            if (failed.getCause() instanceof Error) throw (Error) failed.getCause();
            throw (Exception) failed.getCause();
        }
    }

    /** What a tool's threads print goes to its run. */
    static PrintStream divided(PrintStream own, boolean out) {
        return new PrintStream(new OutputStream() {
            OutputStream now() {
                Run run = RUN.get();
                return run == null ? own : out ? run.out : run.err;
            }

            @Override
            public void write(int one) throws IOException {
                now().write(one);
            }

            @Override
            public void write(byte[] bytes, int from, int count) throws IOException {
                now().write(bytes, from, count);
            }
        }, true);
    }
}
