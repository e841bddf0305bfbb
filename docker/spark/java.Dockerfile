# The local base of the Spark image: Debian with Java 17, Python 3 and tini, made by mmdebstrap.
FROM scratch
ADD rootfs.tar /
