//! Object stores behind one trait: S3, directory, memory, and a failing decorator.
